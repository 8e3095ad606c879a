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

await program.parseAsync().catch((error: unknown) => {
  if (error instanceof WorkflowError) {
    printError(program.opts(), error);
    return;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
