import { Command, Option } from 'commander';
import { WorkflowError } from '../../errors.ts';
import type { Redriven } from '../../service/dead-letter-service.ts';
import { type DeadLetterKind, deadLetterKinds } from '../../store/dead-letters.ts';
import { withTocsin } from '../context.ts';
import { askedPage, type PageFlags, withPageFlags } from '../flags.ts';
import { printError, printResult, table, withMore, yellow } from '../output.ts';
import { moment, momentAhead } from '../parse.ts';

type FilterFlags = {
  readonly tenant?: string;
  readonly workflow?: string;
  readonly kind?: DeadLetterKind;
  readonly reason?: string;
  readonly since?: string;
};
type RedriveFlags = FilterFlags & { readonly all?: boolean; readonly at?: string };

export function deadLettersCommand(): Command {
  const command = new Command('dead-letters').description('deliveries, executions and events that were given up');
  addList(command);
  addShow(command);
  addRedrive(command);
  return command;
}

function addList(command: Command): void {
  withPageFlags(withFilters(command.command('list')))
    .description('what was given up, newest first, with the reason')
    .action((flags: FilterFlags & PageFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const listed = await tocsin.deadLetters.list(flags.tenant ?? null, { ...askedPage(flags), ...filterOf(flags) });
        printResult(options, listed, ({ items, nextCursor }) => {
          const rows = items.map((letter) => [
            letter.at.toISOString(),
            letter.kind,
            letter.tenantId,
            letter.workflow?.name ?? '-',
            letter.recipient ?? '-',
            letter.reason,
            letter.id,
          ]);
          const headings = ['when', 'kind', 'tenant', 'workflow', 'recipient', 'reason', 'id'];
          return withMore(table(headings, rows, 'no dead letters'), nextCursor);
        });
      }),
    );
}

function addShow(command: Command): void {
  command
    .command('show')
    .description('one dead letter, whole')
    .argument('<id>')
    .option('--tenant <id>', 'its tenant (default: any)')
    .action((id: string, flags: { tenant?: string }, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.deadLetters.show(flags.tenant ?? null, id), (letter) =>
          JSON.stringify(letter, null, 2),
        );
      }),
    );
}

function addRedrive(command: Command): void {
  withFilters(command.command('redrive'))
    .description('try again: these, or --all that fit the filters; doing it twice does it once')
    .argument('[ids...]')
    .option('--all', 'all that fit the filters')
    .option('--at <moment>', 'not before: 2026-01-31T08:00:00Z, or 2h, 7d from now (default: now; at most 7d)')
    .action((ids: string[], flags: RedriveFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        if (ids.length === 0 && !flags.all) {
          printError(
            options,
            new WorkflowError('invalid', 'which? give ids from `tocsin dead-letters list`, or --all'),
          );
          return;
        }
        const choice = flags.all ? { all: true as const, ...filterOf(flags) } : ids;
        printResult(
          options,
          await tocsin.deadLetters.redrive(flags.tenant ?? null, choice, {
            ...(flags.at ? { at: momentAhead(flags.at, new Date()) } : {}),
          }),
          redrivenText,
        );
      }),
    );
}

function redrivenText({ deliveries, executions, events, expired, unknown }: Redriven): string {
  return [
    `${deliveries + executions + events} put back: ${deliveries} deliveries, ${executions} executions, ${events} events`,
    ...expired.map((id) => yellow(`${id}: its event is no longer kept`)),
    ...unknown.map((id) => yellow(`${id}: no dead letter; redriven before, delivered since, or never there`)),
  ].join('\n');
}

function withFilters(command: Command): Command {
  return command
    .option('--tenant <id>', 'only of this tenant (default: all)')
    .option('--workflow <id>', 'only of this workflow')
    .addOption(new Option('--kind <kind>', 'only these').choices(deadLetterKinds))
    .option('--reason <reason>', 'only with this reason')
    .option('--since <moment>', 'given up not before: 2026-01-31T08:00:00Z, or 2h, 7d ago');
}

/** What is given and empty is refused, not left out: `--all --workflow "$id"` must not mean everything. */
function filterOf({ workflow: workflowId, kind, reason, since }: FilterFlags) {
  return { workflowId, kind, reason, since: since === undefined ? undefined : moment(since, new Date()) };
}
