import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { askedPage, type PageFlags, type TenantFlags, tenantFlag, withPageFlags } from '../flags.ts';
import { printResult, table, withMore } from '../output.ts';

export function endpointsCommand(): Command {
  const command = new Command('endpoints').description('where webhooks go: what fails, what is paused and until when');
  withPageFlags(command.command('list'))
    .description('endpoints that failed since their last success; the others work')
    .requiredOption(...tenantFlag)
    .action((flags: TenantFlags & PageFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const page = await tocsin.endpoints.listEndpoints(flags.tenant, askedPage(flags));
        printResult(options, page, ({ items, nextCursor }) => {
          const rows = items.map(({ origin, status, failures, lastReason, retryAt }) => [
            origin,
            status,
            String(failures),
            lastReason ?? '',
            retryAt?.toISOString() ?? '',
          ]);
          const text = table(['origin', 'status', 'failures', 'reason', 'tried again at'], rows, 'no endpoint fails');
          return withMore(text, nextCursor);
        });
      }),
    );
  command
    .command('resume')
    .description('call an endpoint again at once; what waits for it goes out')
    .argument('<origin>', 'as listed, e.g. https://hooks.example.com')
    .requiredOption(...tenantFlag)
    .action((origin: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const resumed = await tocsin.endpoints.resumeEndpoint(flags.tenant, origin);
        printResult(options, resumed, () => `${origin} is called again`);
      }),
    );
  return command;
}
