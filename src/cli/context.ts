import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { settingsFromEnvironment } from '../config.ts';
import { WorkflowError } from '../errors.ts';
import { databaseRefusal } from '../store/database-refusal.ts';
import { createTocsin, type Tocsin, type TocsinOptions } from '../tocsin.ts';
import type { OutputOptions } from './output.ts';
import { printError } from './output.ts';

/** Options of the program itself, before the command. */
export type GlobalOptions = OutputOptions & { readonly database?: string; readonly config?: string };

const configFiles = ['tocsin.config.ts', 'tocsin.config.js', 'tocsin.config.mjs'];

/** The global options, wherever on the line they stood. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/**
 * Opens Tocsin with the options of the command line, over the configuration file, over the environment; runs the command;
 * closes. Refusals are printed and set the exit code.
 */
export async function withTocsin(
  command: Command,
  run: (tocsin: Tocsin, options: GlobalOptions) => Promise<void>,
  overrides: (options: TocsinOptions) => TocsinOptions = (options) => options,
): Promise<void> {
  const options = globalOptions(command);
  let tocsin: Tocsin | undefined;
  try {
    tocsin = await createTocsin(overrides(await readOptions(options)));
    await run(tocsin, options);
  } catch (error) {
    printError(options, explain(error));
  } finally {
    await tocsin?.close().catch(() => undefined);
  }
}

async function readOptions(options: GlobalOptions): Promise<TocsinOptions> {
  const fromFile = await readConfigFile(options.config);
  const merged = {
    ...settingsFromEnvironment(),
    ...fromFile,
    ...(options.database ? { databaseUrl: options.database } : {}),
  };
  if (merged.databaseUrl === undefined) {
    throw new WorkflowError('invalid', 'no database: set DATABASE_URL or give --database postgres://...');
  }
  return merged as TocsinOptions;
}

async function readConfigFile(given: string | undefined): Promise<Partial<TocsinOptions>> {
  const file = given ?? configFiles.find((name) => existsSync(name));
  if (file === undefined) return {};
  if (!existsSync(file)) throw new WorkflowError('not_found', `no configuration file ${file}`);
  const loaded: { default?: unknown } = await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    throw new WorkflowError('invalid', `cannot load ${file}: ${String(cause)}`, { cause });
  });
  if (typeof loaded.default !== 'object' || loaded.default === null) {
    throw new WorkflowError(
      'invalid',
      `${file} exports no options: export default { databaseUrl, conditions, actions, ... }`,
    );
  }
  return loaded.default;
}

/** Faults that a person at the command line can mend, as refusals with the next step; others are thrown on. */
export function explain(error: unknown): WorkflowError {
  const refusal = error instanceof WorkflowError ? error : databaseRefusal(error);
  if (refusal === null) throw error;
  return refusal;
}
