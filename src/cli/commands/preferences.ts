import { Command } from 'commander';
import { ok } from '../../model/result.ts';
import type { Tocsin } from '../../tocsin.ts';
import { withTocsin } from '../context.ts';
import { askedPage, type PageFlags, type TenantFlags, tenantFlag, withPageFlags } from '../flags.ts';
import { printResult, table, withMore } from '../output.ts';
import { findWorkflow } from './workflow.ts';

type ListFlags = TenantFlags & PageFlags & { readonly user?: string; readonly channel?: string };
type ChoiceFlags = TenantFlags & { readonly user: string; readonly channel: string; readonly workflow?: string };

export function preferencesCommand(): Command {
  const command = new Command('preferences').description('what people do not want to be told');
  withPageFlags(command.command('list'))
    .description('what people have said, by user')
    .requiredOption(...tenantFlag)
    .option('--user <id>', 'only this user')
    .option('--channel <type>', 'only this action type')
    .action((flags: ListFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, user: userId, channel } = flags;
        const page = await tocsin.preferences.list(tenant, { ...askedPage(flags), userId, channel });
        printResult(options, page, ({ items, nextCursor }) => {
          const rows = items.map(({ userId, channel, workflowId, muted, source, updatedAt }) => [
            userId,
            channel,
            workflowId ?? 'all',
            muted ? 'muted' : 'unmuted',
            source,
            updatedAt.toISOString(),
          ]);
          const text = table(['user', 'channel', 'workflow', 'state', 'said by', 'at'], rows, 'no preferences');
          return withMore(text, nextCursor);
        });
      }),
    );
  choiceCommand(command, 'mute', 'tell a user no more in this way');
  choiceCommand(command, 'unmute', 'tell a user again');
  return command;
}

function choiceCommand(command: Command, name: 'mute' | 'unmute', description: string): void {
  command
    .command(name)
    .description(description)
    .requiredOption(...tenantFlag)
    .requiredOption('--user <id>', 'the user')
    .requiredOption('--channel <type>', 'an action type: email, notification, or one of yours')
    .option('--workflow <id or name>', 'by this workflow only (default: by all)')
    .action((flags: ChoiceFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, user: userId, channel } = flags;
        const workflow = await chosenWorkflow(tocsin, flags);
        const written = workflow.ok
          ? await tocsin.preferences.setPreference(tenant, {
              userId,
              channel,
              workflowId: workflow.value?.id ?? null,
              muted: name === 'mute',
            })
          : workflow;
        const of = workflow.ok && workflow.value ? `workflow ${workflow.value.name}` : 'all workflows';
        printResult(options, written, () => `${channel} of ${of} to ${userId} is ${name}d`);
      }),
    );
}

async function chosenWorkflow(tocsin: Tocsin, { tenant, workflow }: ChoiceFlags) {
  return workflow === undefined ? ok(null) : findWorkflow(tocsin, tenant, workflow);
}
