import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { DomainEvent } from '../../capture/domain-event.ts';
import { WorkflowError } from '../../errors.ts';
import type { ExecutionDetail } from '../../log/execution-log.ts';
import type { Json } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { executionsOfEvent } from '../../store/executions-of-event.ts';
import { liveWorkers } from '../../store/health.ts';
import type { Tocsin } from '../../tocsin.ts';
import { withTocsin } from '../context.ts';
import { executionText } from '../execution-text.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { dim, printError, printResult } from '../output.ts';
import { eventWord, jsonArgument, positiveInteger } from '../parse.ts';

type TriggerFlags = TenantFlags & {
  readonly entity: string;
  readonly operation: string;
  readonly payload: string;
  readonly previous?: string;
  readonly entityId?: string;
  readonly actor?: string;
  readonly key?: string;
  readonly wait?: boolean;
  readonly timeout: number;
};

export function triggerCommand(): Command {
  return new Command('trigger')
    .description('store an event by hand, to see what workflows make of it')
    .requiredOption(...tenantFlag)
    .requiredOption('--entity <type>', 'entity type, e.g. order', eventWord)
    .requiredOption('--operation <name>', 'insert, update, delete or one of your own', eventWord)
    .option('--payload <json>', 'the record: JSON, @file, or - for standard input', '{}')
    .option('--previous <json>', 'the record before')
    .option('--entity-id <id>', 'which record (default: the payload\'s "id")')
    .option('--actor <user>', 'who did it')
    .option('--key <key>', 'idempotency key: the same key is the same event')
    .option(
      '--wait',
      'wait until everything is delivered, and print the executions (does the work itself if no worker runs); exits with 1 when something could not be delivered',
    )
    .option('--timeout <seconds>', 'how long to wait', positiveInteger, 30)
    .action((flags: TriggerFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const event = new ManualEvent(flags, {
          payload: await objectArgument(flags.payload, 'the payload'),
          previous: flags.previous === undefined ? null : await objectArgument(flags.previous, 'the previous record'),
        });
        const stored = await tocsin.events.dispatch(event);
        if (!stored.ok || !flags.wait) {
          printResult(options, stored, ({ eventId, duplicate }) =>
            duplicate ? `event ${eventId} stood already` : `event ${eventId}`,
          );
          return;
        }
        const executions = await waitForExecutions(tocsin, { ...flags, eventId: stored.value.eventId });
        if (!executions.ok) {
          printError(options, executions.error);
          return;
        }
        printResult(options, ok({ ...stored.value, executions: executions.value }), (answer) =>
          answer.executions.length === 0
            ? `no workflow ran: none listens to it, or conditions were not met (settings.logSkipped writes which) ${dim(`event ${answer.eventId}`)}`
            : answer.executions.map(executionText).join('\n\n'),
        );
        if (executions.value.some(({ status }) => status === 'failed' || status === 'partial')) process.exitCode = 1;
      }),
    );
}

/** An event whose entity type and operation come from the command line. */
class ManualEvent extends DomainEvent {
  readonly #flags: TriggerFlags;
  readonly #images: { payload: Record<string, Json>; previous: Record<string, Json> | null };

  constructor(flags: TriggerFlags, images: { payload: Record<string, Json>; previous: Record<string, Json> | null }) {
    super({
      tenantId: flags.tenant,
      ...(flags.actor === undefined ? {} : { actor: flags.actor }),
      ...(flags.key === undefined ? {} : { idempotencyKey: flags.key }),
    });
    this.#flags = flags;
    this.#images = images;
  }

  override get entityType(): string {
    return this.#flags.entity;
  }

  override get operation(): string {
    return this.#flags.operation;
  }

  override get entityId(): string {
    const { id } = this.#images.payload;
    return this.#flags.entityId ?? (typeof id === 'object' || id === undefined ? '' : String(id));
  }

  override toPayload(): Record<string, unknown> {
    return this.#images.payload;
  }

  override toPrevious(): Record<string, unknown> | null {
    return this.#images.previous;
  }
}

async function objectArgument(value: string, what: string): Promise<Record<string, Json>> {
  const parsed = await jsonArgument(value, what);
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, Json>;
  throw new WorkflowError('invalid', `${what} is not a JSON object: write {"id": 1, ...}`);
}

async function waitForExecutions(
  tocsin: Tocsin,
  given: { tenant: string; eventId: string; timeout: number },
): Promise<Result<ExecutionDetail[], WorkflowError>> {
  const { pool } = tocsin.database;
  const isAlone = (await liveWorkers(pool)).length === 0;
  if (isAlone) {
    process.stderr.write(`${dim('no worker runs: this command does the work while it waits')}\n`);
    await tocsin.listener.start();
  }
  const deadline = performance.now() + given.timeout * 1_000;
  for (;;) {
    const found = await executionsOfEvent(pool, { tenantId: given.tenant, eventId: given.eventId });
    if (found && found.open === 0) {
      const executions: ExecutionDetail[] = [];
      for (const id of found.ids) {
        const execution = await tocsin.workflows.getExecution(given.tenant, id);
        if (!execution.ok) return execution;
        executions.push(execution.value);
      }
      return ok(executions);
    }
    if (performance.now() > deadline) {
      const state = found ? `${found.open} execution(s) still wait for deliveries` : 'no worker has matched it yet';
      const quota = await usedUpQuota(tocsin, given.tenant);
      const next = 'tocsin doctor says what is wrong, tocsin logs what was tried';
      return err(
        new WorkflowError('timeout', `event ${given.eventId}, after ${given.timeout} s: ${state}${quota}; ${next}`),
      );
    }
    await wait(50);
  }
}

/** Says that a quota is why something waits, if one is used up. */
async function usedUpQuota(tocsin: Tocsin, tenantId: string): Promise<string> {
  const quotas = await tocsin.quotas.getQuotas(tenantId);
  if (!quotas.ok || quotas.value.throttled.length === 0) return '';
  return ` (waits: quota ${quotas.value.throttled.join(', ')}, until ${quotas.value.minuteEndsAt.toISOString()})`;
}
