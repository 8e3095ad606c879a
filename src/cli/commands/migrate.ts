import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { print } from '../output.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring schema `tocsin` up to date (safe to run from several places at once)')
    .action((_options, command: Command) =>
      withTocsin(command, async (tocsin, options) => {
        const applied = await tocsin.migrate();
        print(options, { applied }, () =>
          applied === 0 ? 'schema tocsin is up to date' : `schema tocsin: ${applied} migration(s) applied`,
        );
      }),
    );
}
