import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { bold, dim, printResult } from '../output.ts';
import { positiveInteger } from '../parse.ts';

type InboxFlags = TenantFlags & { readonly user: string; readonly limit: number };

export function inboxCommand(): Command {
  return new Command('inbox')
    .description("a user's in-app notifications, newest first")
    .requiredOption(...tenantFlag)
    .requiredOption('--user <id>', 'the user')
    .option('--limit <n>', 'how many', positiveInteger, 20)
    .action((flags: InboxFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const inbox = await tocsin.inbox.list(flags.tenant, flags.user, { limit: flags.limit });
        printResult(
          options,
          inbox,
          ({ items }) =>
            items
              .map(
                (item) =>
                  `${item.readAt ? ' ' : '*'} ${bold(item.title)}  ${dim(item.createdAt.toISOString())}\n  ${item.message}`,
              )
              .join('\n') || 'the inbox is empty',
        );
      }),
    );
}
