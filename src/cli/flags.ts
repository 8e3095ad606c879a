import type { Command } from 'commander';
import { positiveInteger } from './parse.ts';

/** The option of a command that is about one tenant. */
export const tenantFlag = ['--tenant <id>', 'the tenant'] as const;

/** What `tenantFlag` gives. */
export type TenantFlags = { readonly tenant: string };

/** What `withPageFlags` gives. */
export type PageFlags = { readonly limit: number; readonly cursor?: string };

/** Adds the options of a command that lists a page at a time, of `limit` unless the line says otherwise. */
export function withPageFlags(command: Command, limit = 50): Command {
  return command
    .option('--limit <n>', 'how many', positiveInteger, limit)
    .option('--cursor <cursor>', 'go on where an earlier answer ended');
}

/** The page that is asked for; an empty cursor is the first one. */
export function askedPage({ limit, cursor }: PageFlags): PageFlags {
  return cursor ? { limit, cursor } : { limit };
}
