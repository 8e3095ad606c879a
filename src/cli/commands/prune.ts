import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { print } from '../output.ts';
import { positiveInteger } from '../parse.ts';

type PruneFlags = { readonly days?: number; readonly eventDays?: number; readonly dryRun?: boolean };

export function pruneCommand(): Command {
  return new Command('prune')
    .description('remove executions, deliveries, attempts and events older than their retention (workers do it hourly)')
    .option('--days <n>', 'for tenants without a retention of their own (default 30)', positiveInteger)
    .option('--event-days <n>', 'for matched events (default 7)', positiveInteger)
    .option('--dry-run', 'count only')
    .action((flags: PruneFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { retention } = tocsin.settings;
        const pruned = await tocsin.retention.prune({
          defaultDays: flags.days ?? retention.days,
          eventDays: flags.eventDays ?? retention.eventDays,
          dryRun: flags.dryRun ?? false,
        });
        print(options, pruned, (counts) => JSON.stringify(counts, null, 2));
      }),
    );
}
