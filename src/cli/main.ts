#!/usr/bin/env node
import type { Command } from 'commander';
import { errorCodes, WorkflowError } from '../errors.ts';
import { printError } from './output.ts';
import { createProgram } from './program.ts';

const program = createProgram();

/** What cannot be understood on the line is input that is not valid: exit code 2, not 1. */
function exitAsInvalid(command: Command): void {
  command.exitOverride((error) => process.exit(error.exitCode === 1 ? errorCodes.invalid.exitCode : error.exitCode));
  for (const sub of command.commands) exitAsInvalid(sub);
}
exitAsInvalid(program);

/** Who reads may have read enough: `tocsin logs | head`. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}
process.stdout.on('error', endWithReader);
process.stderr.on('error', endWithReader);

await program.parseAsync().catch((error: unknown) => {
  if (error instanceof WorkflowError) {
    printError(program.opts(), error);
    return;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
