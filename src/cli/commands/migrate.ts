import { Command } from 'commander';
import { logLevelFromEnvironment } from '../../config.ts';
import { createLogger } from '../../runtime/logger.ts';
import { withTocsin } from '../context.ts';
import { print } from '../output.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring schema `tocsin` up to date (safe while workers run, and from several places at once)')
    .action((_options, command: Command) =>
      withTocsin(
        command,
        async (tocsin, options) => {
          const applied = await tocsin.migrate();
          print(options, { applied }, () =>
            applied === 0 ? 'schema tocsin is up to date' : `schema tocsin: ${applied} migration(s) applied`,
          );
        },
        // It says what it waits for.
        (options) => ({ ...options, logger: options.logger ?? createLogger(logLevelFromEnvironment()) }),
      ),
    );
}
