import { Command, Option } from 'commander';
import { rowOperations } from '../../model/event.ts';
import { withTocsin } from '../context.ts';
import { green, print, printResult, red, table } from '../output.ts';
import { words } from '../parse.ts';

type InstallFlags = {
  readonly entityType: string;
  readonly tenantColumn?: string;
  readonly tenant?: string;
  readonly exclude?: readonly string[];
  readonly operations?: readonly string[];
  readonly onlyWhenSubscribed?: boolean;
};

export function captureCommand(): Command {
  const command = new Command('capture').description('capture the row changes of host tables as events');
  addInstall(command);
  addVerify(command);
  addRemove(command);
  addList(command);
  return command;
}

function addInstall(command: Command): void {
  command
    .command('install')
    .description('put triggers on a table; again to bring them up to date')
    .argument('<table>', 'e.g. public.orders or \'Sales."Order Lines"\'')
    .requiredOption('--entity-type <name>', 'what workflows call its rows')
    .addOption(new Option('--tenant-column <column>', 'column that names the tenant').conflicts('tenant'))
    .addOption(new Option('--tenant <id>', 'tenant that owns every row'))
    .option('--exclude <columns>', 'columns that never leave the table, comma separated', words)
    .option('--operations <names>', `comma separated, of ${rowOperations.join(', ')} (default all)`, words)
    .option('--only-when-subscribed', 'write events only while an active workflow listens to them')
    .action((tableName: string, flags: InstallFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { entityType, tenantColumn, tenant, exclude, operations, onlyWhenSubscribed } = flags;
        const result = await tocsin.capture.install({
          table: tableName,
          entityType,
          ...(tenantColumn === undefined ? {} : { tenantColumn }),
          ...(tenant === undefined ? {} : { tenant }),
          ...(exclude === undefined ? {} : { exclude: [...exclude] }),
          ...(operations === undefined ? {} : { operations: operations as (typeof rowOperations)[number][] }),
          ...(onlyWhenSubscribed ? { onlyWhenSubscribed } : {}),
        });
        printResult(options, result, (capture) => `capturing ${capture.table} as ${capture.entityType}`);
      }),
    );
}

function addVerify(command: Command): void {
  command
    .command('verify')
    .description('compare the triggers with the tables as they are now; exit code 4 when something is off')
    .argument('[table]', 'only this one')
    .action((tableName: string | undefined, _flags: unknown, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const verified = await tocsin.capture.verify(tableName === undefined ? {} : { table: tableName });
        printResult(
          options,
          verified,
          (captures) =>
            captures.map(({ table: name, problems }) => verdict(name, problems)).join('\n') || 'no table is captured',
        );
        if (verified.ok && verified.value.some(({ problems }) => problems.length > 0)) process.exitCode = 4;
      }),
    );
}

function addRemove(command: Command): void {
  command
    .command('remove')
    .description('take the triggers off a table; its events stay')
    .argument('<table>')
    .action((tableName: string, _flags: unknown, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const removed = await tocsin.capture.remove(tableName);
        printResult(options, removed, () => `no longer capturing ${tableName}`);
      }),
    );
}

function addList(command: Command): void {
  command
    .command('list')
    .description('the tables that are captured')
    .action((_flags: unknown, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        print(options, await tocsin.capture.list(), (captures) =>
          table(
            ['table', 'entity type', 'tenant', 'operations', 'excluded'],
            captures.map((capture) => [
              capture.table,
              capture.entityType,
              capture.tenantColumn ? `column ${capture.tenantColumn}` : `always ${capture.tenant}`,
              capture.operations.join(', '),
              capture.excluded.join(', ') || '-',
            ]),
            'no table is captured: tocsin capture install public.orders --entity-type order --tenant-column tenant_id',
          ),
        );
      }),
    );
}

function verdict(name: string, problems: readonly { readonly message: string }[]): string {
  if (problems.length === 0) return `${green('ok')}   ${name}`;
  return [`${red('off')}  ${name}`, ...problems.map(({ message }) => `       ${message}`)].join('\n');
}
