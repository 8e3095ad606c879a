import { Command } from 'commander';
import { type ExecutionStatus, executionStatuses } from '../../model/execution.ts';
import { withTocsin } from '../context.ts';
import { executionText, statusText } from '../execution-text.ts';
import { askedPage, type PageFlags, type TenantFlags, tenantFlag, withPageFlags } from '../flags.ts';
import { printError, printResult, table, withMore } from '../output.ts';
import { moment, words } from '../parse.ts';
import { findWorkflow } from './workflow.ts';

type LogFlags = TenantFlags &
  PageFlags & {
    readonly workflow?: string;
    readonly status?: readonly string[];
    readonly from?: string;
    readonly to?: string;
  };

export function logsCommand(): Command {
  return withPageFlags(new Command('logs'))
    .description('what ran, newest first; with an execution id: every decision, recipient and attempt of it')
    .argument('[execution]', 'id of one execution')
    .requiredOption(...tenantFlag)
    .option('--workflow <id or name>', 'only of this workflow')
    .option('--status <names>', `comma separated, of ${executionStatuses.join(', ')}`, words)
    .option('--from <moment>', 'not before: 2026-01-31T08:00:00Z, or 2h, 7d ago')
    .option('--to <moment>', 'not after')
    .action((execution: string | undefined, flags: LogFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        if (execution !== undefined) {
          printResult(options, await tocsin.workflows.getExecution(flags.tenant, execution), executionText);
          return;
        }
        const workflow = flags.workflow === undefined ? null : await findWorkflow(tocsin, flags.tenant, flags.workflow);
        if (workflow && !workflow.ok) {
          printError(options, workflow.error);
          return;
        }
        const now = new Date();
        const { status, from, to } = flags;
        const logs = await tocsin.workflows.getExecutionLogs(flags.tenant, {
          ...askedPage(flags),
          workflowId: workflow?.value.id,
          status: status as ExecutionStatus[] | undefined,
          from: from === undefined ? undefined : moment(from, now),
          to: to === undefined ? undefined : moment(to, now),
        });
        printResult(options, logs, ({ items, nextCursor }) => {
          const rows = items.map((log) => [
            log.createdAt.toISOString(),
            statusText(log.status),
            log.workflowName,
            log.event ? `${log.event.entityType} ${log.event.operation} ${log.event.entityId}` : '-',
            log.reason ?? '',
            log.id,
          ]);
          const headings = ['when', 'status', 'workflow', 'event', 'reason', 'execution'];
          return withMore(table(headings, rows, 'nothing ran'), nextCursor);
        });
      }),
    );
}
