import { Command } from 'commander';
import type { Workflow, WorkflowInput, WorkflowStatus } from '../../model/workflow.ts';
import { isUuid } from '../../service/list-input.ts';
import type { Tocsin } from '../../tocsin.ts';
import { type GlobalOptions, withTocsin } from '../context.ts';
import { askedPage, type PageFlags, type TenantFlags, tenantFlag, withPageFlags } from '../flags.ts';
import { bold, dim, print, printError, printResult, table, withMore } from '../output.ts';
import { jsonArgument } from '../parse.ts';

export function workflowCommand(): Command {
  const command = new Command('workflow').description('list, show, check, create and switch the workflows of a tenant');
  withPageFlags(command.command('list'), 500)
    .description('workflows of the tenant, newest first')
    .requiredOption(...tenantFlag)
    .option('--status <status>', 'only draft, active, inactive or archived ones')
    .action((flags: TenantFlags & PageFlags & { status?: string }, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const filter = { ...askedPage(flags), status: flags.status as WorkflowStatus | undefined };
        const listed = await tocsin.workflows.listWorkflows(flags.tenant, filter);
        printResult(options, listed, ({ items, nextCursor }) => withMore(listText(items), nextCursor));
      }),
    );
  command
    .command('show')
    .description('one workflow, whole')
    .argument('<workflow>', 'its id or name')
    .requiredOption(...tenantFlag)
    .action((workflow: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await findWorkflow(tocsin, flags.tenant, workflow), (found) =>
          JSON.stringify(found, null, 2),
        );
      }),
    );
  addWriting(command);
  addTransitions(command);
  return command;
}

function addWriting(command: Command): void {
  command
    .command('validate')
    .description('say everything that is wrong with a definition; save nothing')
    .argument('<definition>', 'JSON, @file, or - for standard input')
    .requiredOption(...tenantFlag)
    .action((definition: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const input = (await jsonArgument(definition, 'the definition')) as WorkflowInput;
        printResult(
          options,
          await tocsin.workflows.validateWorkflow(flags.tenant, input),
          () => 'the definition is valid',
        );
      }),
    );
  command
    .command('create')
    .description('save a new workflow (status "active" in it publishes at once)')
    .argument('<definition>', 'JSON, @file, or - for standard input')
    .requiredOption(...tenantFlag)
    .action((definition: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const input = (await jsonArgument(definition, 'the definition')) as WorkflowInput;
        printResult(options, await tocsin.workflows.createWorkflow(flags.tenant, input), (made) =>
          oneLine('created', made),
        );
      }),
    );
  command
    .command('update')
    .description('change the working copy; publish makes it run')
    .argument('<workflow>', 'its id or name')
    .argument('<changes>', 'JSON, @file, or - for standard input')
    .requiredOption(...tenantFlag)
    .action((workflow: string, changes: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const patch = (await jsonArgument(changes, 'the changes')) as Partial<WorkflowInput>;
        await onWorkflow({ tocsin, options, tenant: flags.tenant, workflow }, async (id) =>
          printResult(options, await tocsin.workflows.updateWorkflow(flags.tenant, id, patch), (made) =>
            oneLine('updated', made),
          ),
        );
      }),
    );
}

const transitions = {
  publish: ['freeze the working copy as a new version and run it', 'publishWorkflow'],
  activate: ['run the published version again', 'activateWorkflow'],
  deactivate: ['stop running it; what is under way goes on', 'deactivateWorkflow'],
  archive: ['put it away for good; its logs stay', 'archiveWorkflow'],
} as const;

function addTransitions(command: Command): void {
  for (const [name, [description, method]] of Object.entries(transitions)) {
    command
      .command(name)
      .description(description)
      .argument('<workflow>', 'its id or name')
      .requiredOption(...tenantFlag)
      .action((workflow: string, flags: TenantFlags, self: Command) =>
        withTocsin(self, async (tocsin, options) => {
          await onWorkflow({ tocsin, options, tenant: flags.tenant, workflow }, async (id) =>
            printResult(options, await tocsin.workflows[method](flags.tenant, id), (done) => oneLine('now', done)),
          );
        }),
      );
  }
  command
    .command('delete')
    .description('remove it from the list; its logs stay')
    .argument('<workflow>', 'its id or name')
    .requiredOption(...tenantFlag)
    .action((workflow: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        await onWorkflow({ tocsin, options, tenant: flags.tenant, workflow }, async (id) => {
          const deleted = await tocsin.workflows.deleteWorkflow(flags.tenant, id);
          if (deleted.ok) print(options, { deleted: id }, () => `deleted ${id}`);
          else printError(options, deleted.error);
        });
      }),
    );
}

/** A workflow by its id or, if none has it, by its name. What looks like an id is refused as one. */
export async function findWorkflow(
  tocsin: Tocsin,
  tenant: string,
  workflow: string,
): ReturnType<Tocsin['workflows']['getWorkflow']> {
  const byId = await tocsin.workflows.getWorkflow(tenant, workflow);
  if (byId.ok) return byId;
  const byName = await tocsin.workflows.getWorkflowByName(tenant, workflow);
  return byName.ok || !isUuid(workflow) ? byName : byId;
}

async function onWorkflow(
  given: { tocsin: Tocsin; options: GlobalOptions; tenant: string; workflow: string },
  run: (id: string) => Promise<void>,
): Promise<void> {
  const found = await findWorkflow(given.tocsin, given.tenant, given.workflow);
  if (found.ok) await run(found.value.id);
  else printError(given.options, found.error);
}

function listText(workflows: readonly Workflow[]): string {
  return table(
    ['name', 'status', 'version', 'listens to', 'id'],
    workflows.map((workflow) => [
      workflow.name,
      workflow.status +
        (workflow.pausedReason ? ` (paused: ${workflow.pausedReason})` : '') +
        (workflow.hasUnpublishedChanges && workflow.publishedVersion !== null ? ' (changes not published)' : ''),
      workflow.publishedVersion === null ? '-' : String(workflow.publishedVersion),
      workflow.triggers.map((trigger) => `${trigger.entityType} ${trigger.operation}`).join(', '),
      workflow.id,
    ]),
    'no workflows: tocsin workflow create @definition.json --tenant ...',
  );
}

function oneLine(done: string, workflow: Workflow): string {
  const running = workflow.publishedVersion === null ? 'not published' : `version ${workflow.publishedVersion}`;
  const paused = workflow.pausedReason ? ` (paused: ${workflow.pausedReason})` : '';
  return `${done} ${bold(workflow.name)}: ${workflow.status}${paused}, ${running} ${dim(workflow.id)}`;
}
