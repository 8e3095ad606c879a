import { Command, Option } from 'commander';
import { type SuppressionReason, suppressionReasons } from '../../model/suppression.ts';
import { withTocsin } from '../context.ts';
import { printResult, table } from '../output.ts';
import { positiveInteger } from '../parse.ts';

type ListFlags = {
  readonly tenant: string;
  readonly reason?: SuppressionReason;
  readonly limit: number;
  readonly cursor?: string;
};
type AddFlags = { readonly tenant: string; readonly reason: SuppressionReason; readonly note?: string };
type TenantFlags = { readonly tenant: string };

export function suppressionsCommand(): Command {
  const command = new Command('suppressions').description('addresses that mails do not go to');
  command
    .command('list')
    .description('suppressed addresses and why')
    .requiredOption('--tenant <id>', 'the tenant')
    .addOption(new Option('--reason <reason>', 'only these').choices(suppressionReasons))
    .option('--limit <n>', 'how many', positiveInteger, 50)
    .option('--cursor <cursor>', 'nextCursor of the page before')
    .action((flags: ListFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, reason, limit, cursor } = flags;
        const page = await tocsin.suppressions.list(tenant, {
          limit,
          ...(reason ? { reason } : {}),
          ...(cursor ? { cursor } : {}),
        });
        printResult(options, page, ({ items, nextCursor }) => {
          const rows = items.map(({ address, reason, createdAt, detail }) => [
            address,
            reason,
            createdAt.toISOString(),
            detail ?? '',
          ]);
          const text = table(['address', 'reason', 'since', 'detail'], rows, 'no address is suppressed');
          return nextCursor === null ? text : `${text}\nmore: --cursor ${nextCursor}`;
        });
      }),
    );
  command
    .command('add')
    .description('stop mails to an address')
    .argument('<address>')
    .requiredOption('--tenant <id>', 'the tenant')
    .addOption(new Option('--reason <reason>', 'why').choices(suppressionReasons).default('host'))
    .option('--note <text>', 'for those who list it')
    .action((address: string, flags: AddFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, reason, note = null } = flags;
        const added = await tocsin.suppressions.add(tenant, { address, reason, detail: note });
        printResult(options, added, (suppression) => `mails to ${suppression.address} are stopped`);
      }),
    );
  command
    .command('remove')
    .description('let mails go to an address again')
    .argument('<address>')
    .requiredOption('--tenant <id>', 'the tenant')
    .action((address: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const removed = await tocsin.suppressions.remove(flags.tenant, address);
        printResult(options, removed, () => `mails to ${address} go out again`);
      }),
    );
  return command;
}
