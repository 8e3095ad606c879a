import { randomUUID } from 'node:crypto';
import type {
  ActionHandler,
  ActionReference,
  AttemptContext,
  CompiledAction,
  StoredTemplate,
  Transports,
} from '../../../src/deliver/action.ts';
import type { Issue } from '../../../src/errors.ts';
import type { WorkflowEvent } from '../../../src/model/event.ts';
import { parseInput } from '../../../src/model/parse-input.ts';
import type { Recipient } from '../../../src/model/recipient.ts';
import { err, ok } from '../../../src/model/result.ts';

export const event: WorkflowEvent = {
  id: '01931b2a-7c00-7000-8000-00000000000e',
  tenantId: 'acme',
  source: 'db',
  entityType: 'order',
  entityId: '7',
  operation: 'update',
  payload: {
    order_id: 7,
    amount: 12.5,
    customer: { name: 'Ada <ada>' },
    note: 'a\r\nb',
    big: 9007199254740993n,
    items: ['x'],
    // More than a template may write.
    huge: 'x'.repeat(300 * 1_024),
  },
  previous: { amount: 10 },
  changed: ['amount'],
  actor: 'u9',
  traceContext: null,
  idempotencyKey: null,
  causation: null,
  occurredAt: new Date('2026-11-21T12:00:00Z'),
};

export const ada: Recipient = {
  id: 'u1',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  locale: 'en',
  timezone: 'Europe/London',
  attributes: { team: 'sales' },
  active: true,
};

const noTransport: Transports = {
  sendMail: () => Promise.reject(new Error('no mail expected')),
  sendHttp: () => Promise.reject(new Error('no request expected')),
};

/** An attempt to deliver `event`; secrets and stored templates by name. */
export function attemptContext(
  more: Partial<Omit<AttemptContext, 'secret' | 'storedTemplate'>> & {
    secrets?: Record<string, string>;
    stored?: readonly StoredTemplate[];
  } = {},
): AttemptContext {
  const { secrets = {}, stored = [], ...rest } = more;
  return {
    event,
    workflow: { id: 'w1', name: 'Orders', version: 3 },
    recipient: ada,
    tenantId: 'acme',
    deliveryId: randomUUID(),
    executionId: randomUUID(),
    attempt: 1,
    causation: '01931b2a-7c00-7000-8000-000000000001',
    now: new Date('2026-11-21T12:00:05Z'),
    signal: AbortSignal.timeout(10_000),
    transports: noTransport,
    unsubscribeUrl: null,
    ...rest,
    secret: async (name) => (secrets[name] === undefined ? err('secret_missing') : ok(secrets[name])),
    storedTemplate: async (name) => stored.find((template) => template.name === name) ?? null,
  };
}

/** Reads a configuration with the handler's schema and compiles it, as saving a workflow does. */
export function compileAction<Config>(
  handler: ActionHandler<Config>,
  config: unknown,
): { readonly action: CompiledAction | null; readonly issues: readonly Issue[] } {
  const parsed = parseInput(handler.schema, config, 'actions[0]');
  if (!parsed.ok) return { action: null, issues: parsed.error };
  const compiled = handler.compile(parsed.value, { path: 'actions[0]', entityTypes: [] });
  return compiled.ok ? { action: compiled.value, issues: [] } : { action: null, issues: compiled.error };
}

/** An action that goes out, compiled; throws the issues of one that cannot be. */
export function externalAction<Config>(handler: ActionHandler<Config>, config: unknown) {
  const { action, issues } = compileAction(handler, config);
  if (action?.kind !== 'external') throw new Error(JSON.stringify(issues));
  return action;
}

/** Names and places of references, for comparing. */
export function placesOf(references: readonly ActionReference[]): string[] {
  return references.map(({ kind, name, path }) => `${kind} ${name} at ${path}`).sort();
}
