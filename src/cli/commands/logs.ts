import { Command } from 'commander';
import { executionStatuses } from '../../model/execution.ts';
import { withTocsin } from '../context.ts';
import { executionText, statusText } from '../execution-text.ts';
import { printError, printResult, table } from '../output.ts';
import { moment, positiveInteger, words } from '../parse.ts';
import { findWorkflow } from './workflow.ts';

type LogFlags = {
  readonly tenant: string;
  readonly workflow?: string;
  readonly status?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
  readonly cursor?: string;
};

export function logsCommand(): Command {
  return new Command('logs')
    .description('what ran, newest first; with an execution id: every decision, recipient and attempt of it')
    .argument('[execution]', 'id of one execution')
    .requiredOption('--tenant <id>', 'the tenant')
    .option('--workflow <id or name>', 'only of this workflow')
    .option('--status <names>', `comma separated, of ${executionStatuses.join(', ')}`, words)
    .option('--from <moment>', 'not before: 2026-01-31T08:00:00Z, or 2h, 7d ago')
    .option('--to <moment>', 'not after')
    .option('--limit <n>', 'how many', positiveInteger, 50)
    .option('--cursor <cursor>', 'go on where an earlier answer ended')
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
        const logs = await tocsin.workflows.getExecutionLogs(flags.tenant, {
          limit: flags.limit,
          ...(workflow ? { workflowId: workflow.value.id } : {}),
          ...(flags.status ? { status: flags.status as (typeof executionStatuses)[number][] } : {}),
          ...(flags.from ? { from: moment(flags.from, now) } : {}),
          ...(flags.to ? { to: moment(flags.to, now) } : {}),
          ...(flags.cursor ? { cursor: flags.cursor } : {}),
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
          const more = nextCursor ? `\nmore: --cursor ${nextCursor}` : '';
          return table(['when', 'status', 'workflow', 'event', 'reason', 'execution'], rows, 'nothing ran') + more;
        });
      }),
    );
}
