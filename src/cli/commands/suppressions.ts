import { Command, Option } from 'commander';
import { type SuppressionReason, suppressionReasons } from '../../model/suppression.ts';
import { withTocsin } from '../context.ts';
import { askedPage, type PageFlags, type TenantFlags, tenantFlag, withPageFlags } from '../flags.ts';
import { printResult, table, withMore } from '../output.ts';

type ListFlags = TenantFlags & PageFlags & { readonly reason?: SuppressionReason };
type AddFlags = TenantFlags & { readonly reason: SuppressionReason; readonly note?: string };

export function suppressionsCommand(): Command {
  const command = new Command('suppressions').description('addresses that mails do not go to');
  withPageFlags(command.command('list'))
    .description('suppressed addresses and why')
    .requiredOption(...tenantFlag)
    .addOption(new Option('--reason <reason>', 'only these').choices(suppressionReasons))
    .action((flags: ListFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, reason } = flags;
        const page = await tocsin.suppressions.list(tenant, { ...askedPage(flags), reason });
        printResult(options, page, ({ items, nextCursor }) => {
          const rows = items.map(({ address, reason, createdAt, detail }) => [
            address,
            reason,
            createdAt.toISOString(),
            detail ?? '',
          ]);
          const text = table(['address', 'reason', 'since', 'detail'], rows, 'no address is suppressed');
          return withMore(text, nextCursor);
        });
      }),
    );
  command
    .command('add')
    .description('stop mails to an address')
    .argument('<address>')
    .requiredOption(...tenantFlag)
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
    .requiredOption(...tenantFlag)
    .action((address: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const removed = await tocsin.suppressions.remove(flags.tenant, address);
        printResult(options, removed, () => `mails to ${address} go out again`);
      }),
    );
  return command;
}
