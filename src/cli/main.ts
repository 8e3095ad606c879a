#!/usr/bin/env node
import { Command, Option } from 'commander';
import { errorCodes } from '../errors.ts';
import { version } from '../tocsin.ts';
import { cancelCommand } from './commands/cancel.ts';
import { captureCommand } from './commands/capture.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { inboxCommand } from './commands/inbox.ts';
import { logsCommand } from './commands/logs.ts';
import { migrateCommand } from './commands/migrate.ts';
import { pruneCommand } from './commands/prune.ts';
import { secretCommand } from './commands/secret.ts';
import { templateCommand } from './commands/template.ts';
import { triggerCommand } from './commands/trigger.ts';
import { workerCommand } from './commands/worker.ts';
import { workflowCommand } from './commands/workflow.ts';

const program = new Command('tocsin')
  .description('Notification workflows your tenants write themselves, run on your own PostgreSQL.')
  .version(version)
  .addOption(new Option('--database <url>', 'postgres:// URL').env('DATABASE_URL'))
  .option(
    '--config <file>',
    'options and handlers of the host (default: tocsin.config.ts, .js or .mjs if there is one)',
  )
  .option('--json', 'print data instead of text')
  .showHelpAfterError()
  .configureHelp({ showGlobalOptions: true });

for (const command of [
  demoCommand,
  migrateCommand,
  captureCommand,
  workerCommand,
  workflowCommand,
  triggerCommand,
  logsCommand,
  cancelCommand,
  deadLettersCommand,
  inboxCommand,
  templateCommand,
  secretCommand,
  pruneCommand,
  doctorCommand,
]) {
  program.addCommand(command());
}

program.addHelpText(
  'after',
  `
Environment:
  DATABASE_URL                 postgres:// URL
  TOCSIN_SMTP_URL              smtp:// or smtps:// URL of the mail server
  TOCSIN_MAIL_FROM             address that mails come from
  TOCSIN_SECRETS_KEY           32 bytes, base64 or hex: encrypts tenants' secrets
  TOCSIN_WEBHOOK_ALLOW_HOSTS   hosts that webhooks may call although they are not public (comma separated)
  TOCSIN_WEBHOOK_ALLOW_CIDRS   the same for networks
  TOCSIN_LOG_LEVEL             debug, info, warn or error (worker)

Exit codes: 0 done, 1 fault, 2 not valid, 3 not found, 4 conflict, 5 not allowed, 6 not migrated, 7 unavailable, 8 timeout.`,
);

/** What cannot be understood on the line is input that is not valid: exit code 2, not 1. */
function exitAsInvalid(command: Command): void {
  command.exitOverride((error) => process.exit(error.exitCode === 1 ? errorCodes.invalid.exitCode : error.exitCode));
  for (const sub of command.commands) exitAsInvalid(sub);
}
exitAsInvalid(program);

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
