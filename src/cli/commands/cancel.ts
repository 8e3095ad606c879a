import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { printResult } from '../output.ts';

export function cancelCommand(): Command {
  return new Command('cancel')
    .description('cancel an execution that is not at its end; its open deliveries are not made')
    .argument('<execution>', 'its id, from `tocsin logs`')
    .requiredOption(...tenantFlag)
    .action((execution: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(
          options,
          await tocsin.workflows.cancelExecution(flags.tenant, execution),
          ({ deliveries }) => `cancelled, with ${deliveries} open deliveries`,
        );
      }),
    );
}
