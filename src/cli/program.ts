import { Command, Option } from 'commander';
import { version } from '../tocsin.ts';
import { benchCommand } from './commands/bench.ts';
import { cancelCommand } from './commands/cancel.ts';
import { captureCommand } from './commands/capture.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { endpointsCommand } from './commands/endpoints.ts';
import { inboxCommand } from './commands/inbox.ts';
import { logsCommand } from './commands/logs.ts';
import { migrateCommand } from './commands/migrate.ts';
import { preferencesCommand } from './commands/preferences.ts';
import { pruneCommand } from './commands/prune.ts';
import { quotasCommand } from './commands/quotas.ts';
import { secretCommand } from './commands/secret.ts';
import { senderCommand } from './commands/sender.ts';
import { suppressionsCommand } from './commands/suppressions.ts';
import { templateCommand } from './commands/template.ts';
import { triggerCommand } from './commands/trigger.ts';
import { workerCommand } from './commands/worker.ts';
import { workflowCommand } from './commands/workflow.ts';

/** In the order in which help lists them. */
const commands: readonly (() => Command)[] = [
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
  preferencesCommand,
  suppressionsCommand,
  senderCommand,
  templateCommand,
  secretCommand,
  endpointsCommand,
  quotasCommand,
  pruneCommand,
  doctorCommand,
  benchCommand,
];

/** The command line: every command with its options. Built anew for each line that is parsed. */
export function createProgram(): Command {
  const program = new Command('tocsin')
    .description('Notification workflows your tenants write themselves, run on your own PostgreSQL.')
    .version(version)
    .addOption(new Option('--database <url>', 'postgres:// URL').env('DATABASE_URL'))
    .option(
      '--config <file>',
      'options and handlers of the host (default: tocsin.config.ts, .js or .mjs if there is one)',
    )
    .option('--json', 'print data instead of text')
    .showHelpAfterError('(--help says what it takes)')
    .configureHelp({ showGlobalOptions: true });

  for (const command of commands) program.addCommand(command());

  program.addHelpText('after', environmentAndExitCodes);
  inheritSettings(program);
  return program;
}

/** Commands that are made by themselves have none of the settings of the program they are added to. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) inheritSettings(command.copyInheritedSettings(parent));
}

const environmentAndExitCodes = `
Environment:
  DATABASE_URL                 postgres:// URL
  TOCSIN_SMTP_URL              smtp:// or smtps:// URL of the mail server
  TOCSIN_MAIL_FROM             address that mails come from
  TOCSIN_UNSUBSCRIBE_URL       where unsubscribe links lead: an https:// URL
  TOCSIN_SECRETS_KEY           32 bytes, base64 or hex: encrypts tenants' secrets
  TOCSIN_PREVIOUS_SECRETS_KEYS earlier keys, comma separated, that still open what they encrypted
  TOCSIN_WEBHOOK_ALLOW_HOSTS   hosts that webhooks may call although they are not public (comma separated)
  TOCSIN_WEBHOOK_ALLOW_CIDRS   the same for networks
  TOCSIN_QUERY_ROLE            role that saved queries run as
  TOCSIN_QUOTA_EVENTS_PER_MINUTE, TOCSIN_QUOTA_DELIVERIES_PER_MINUTE, TOCSIN_QUOTA_WORKFLOWS,
  TOCSIN_QUOTA_RECIPIENTS, TOCSIN_QUOTA_PAYLOAD_BYTES
                               what a tenant may use that has no quota of its own
  TOCSIN_LOG_LEVEL             debug, info, warn or error (worker)

Exit codes: 0 done, 1 fault or something failed, 2 not valid, 3 not found, 4 conflict, 5 not allowed, 6 not migrated, 7 unavailable, 8 timeout, 9 quota used up.`;
