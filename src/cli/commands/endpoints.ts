import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { printResult, table } from '../output.ts';
import { positiveInteger } from '../parse.ts';

type ListFlags = { readonly tenant: string; readonly limit: number; readonly cursor?: string };
type TenantFlags = { readonly tenant: string };

export function endpointsCommand(): Command {
  const command = new Command('endpoints').description('where webhooks go: what fails, what is paused and until when');
  command
    .command('list')
    .description('endpoints that failed since their last success; the others work')
    .requiredOption('--tenant <id>', 'the tenant')
    .option('--limit <n>', 'how many', positiveInteger, 50)
    .option('--cursor <cursor>', 'nextCursor of the page before')
    .action((flags: ListFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, limit, cursor } = flags;
        const page = await tocsin.endpoints.listEndpoints(tenant, { limit, ...(cursor ? { cursor } : {}) });
        printResult(options, page, ({ items, nextCursor }) => {
          const rows = items.map(({ origin, status, failures, lastReason, retryAt }) => [
            origin,
            status,
            String(failures),
            lastReason ?? '',
            retryAt?.toISOString() ?? '',
          ]);
          const text = table(['origin', 'status', 'failures', 'reason', 'tried again at'], rows, 'no endpoint fails');
          return nextCursor === null ? text : `${text}\nmore: --cursor ${nextCursor}`;
        });
      }),
    );
  command
    .command('resume')
    .description('call an endpoint again at once; what waits for it goes out')
    .argument('<origin>', 'as listed, e.g. https://hooks.example.com')
    .requiredOption('--tenant <id>', 'the tenant')
    .action((origin: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const resumed = await tocsin.endpoints.resumeEndpoint(flags.tenant, origin);
        printResult(options, resumed, () => `${origin} is called again`);
      }),
    );
  return command;
}
