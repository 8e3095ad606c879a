import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { compileWorkflow } from '../../src/engine/compile-workflow.ts';
import { type Json, parseJson, stringifyJson } from '../../src/model/json.ts';
import type { WorkflowDefinition } from '../../src/model/workflow.ts';
import { type ValidationContext, validateWorkflow } from '../../src/service/validate-workflow.ts';
import { seed } from '../support/fuzz.ts';
import { sampleUser } from '../support/memory-directory.ts';
import { sampleEvent } from '../support/sample-event.ts';

const handlers = createHandlers();
const context: ValidationContext = {
  handlers,
  entityTypes: [],
  savedQueries: new Map([['open_orders', ['customer']]]),
  templates: ['welcome'],
  secrets: ['api_key'],
};

/** Valid definitions that use every built-in part; mutants are made of them and of each other's pieces. */
const parents: readonly Json[] = [
  {
    name: 'Everything compared',
    triggers: [{ entityType: 'order', operation: 'update', fields: ['status'] }],
    conditions: [
      { type: 'field_value', field: 'total', operator: 'gt', value: 500 },
      { type: 'field_value', field: 'status', operator: 'in', value: ['new', 'open', 7, null] },
      { type: 'field_value', field: 'note', operator: 'matches', value: '^(a+)+$', caseSensitive: false },
      { type: 'field_value', field: 'status', operator: 'changed', from: 'new', to: 'paid' },
      { type: 'field_value', field: 'total', operator: 'between', value: [1, 2] },
      { type: 'field_value', field: 'total', operator: 'gt', valueField: 'previous.total' },
      { type: 'field_value', field: 'note', operator: 'is_empty' },
    ],
    actions: [{ type: 'notification', title: 'Order {{ payload.id }}', message: '{{ payload.total | number }}' }],
    recipients: [{ type: 'role', id: 'sales' }],
  },
  {
    name: 'Everything else',
    description: 'composites, times, queries',
    triggers: [
      { entityType: 'order', operation: 'insert' },
      { entityType: 'invoice', operation: 'paid' },
    ],
    conditions: [
      {
        type: 'composite',
        any: [
          { type: 'time_based', days: ['weekdays'], start_time: '09:00', end_time: '17:00', timezone: 'Europe/Vienna' },
          { type: 'composite', not: { type: 'role_based', user_field: 'event.actor', required_role: ['admin', 'x'] } },
          {
            type: 'query_match',
            query: 'open_orders',
            parameters: { customer: { field: 'customer' } },
            expect: { atLeast: 2 },
          },
        ],
      },
    ],
    actions: [
      {
        type: 'email',
        subject: 'Hi {{ recipient.name }}',
        html: '<p title="{{ payload.id }}">{{ payload.note }}</p>',
        text: '{% for item in payload.items %}{{ item.name }}{% endfor %}',
        retry: { maxAttempts: 3, initialIntervalMs: 1000 },
        timeoutMs: 5000,
      },
      {
        type: 'webhook',
        url: 'https://hooks.example.com/{{ payload.id }}',
        method: 'PUT',
        headers: { authorization: 'Bearer {{ secret.api_key }}' },
        payload: { id: '{{ payload.id }}', list: [1, '{{ payload.items }}'] },
        order: 1,
        conditions: [{ type: 'field_value', field: 'paid', operator: 'eq', value: true }],
        recipients: [{ type: 'user', id: ['ann', 'ben'] }],
      },
    ],
    recipients: [
      { type: 'group', id: 'night' },
      { type: 'attribute', id: 'department', value: 'sales' },
      { type: 'field', field: ['owner_id', 'customer.owner'] },
    ],
    settings: { excludeActor: true, maxRecipients: 5, logSkipped: true, queue: 'critical' },
  },
];

const words = [
  ...['eq', 'gt', 'matches', 'in', 'changed', 'between', 'contains', 'is_null', 'composite', 'field_value', 'webhook'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'a.__proto__.b',
    'payload',
    'previous.x',
    'event.changed',
    '(a+)+$',
    '[',
    '\\',
  ],
  ...[
    '{{ payload.x }}',
    '{{ ',
    '{% for x in payload %}{{ x }}{% endfor %}',
    '{{ secret.api_key }}',
    '\u0000',
    '\ud800',
  ],
  ...[
    '2026-02-30',
    '10000-01-01',
    'infinity',
    'NaN',
    'Infinity',
    '1e400',
    '9007199254740993',
    '24:00',
    'US/Pacific-New',
  ],
  ...['+25:00', 'https://127.0.0.1/', 'javascript:alert(1)', 'x\r\nBcc: y', '<script>', '{{ payload.__proto__ }}'],
];
const piece: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...words, ...words, null, true, 0, -1, 1e308, 2 ** 53, 10n ** 400n, Number.NaN, undefined),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
);

type Change = { readonly at: number; readonly from: number; readonly how: number; readonly piece: unknown };
const change: fc.Arbitrary<Change> = fc.record({ at: fc.nat(), from: fc.nat(), how: fc.nat(5), piece });
const mutant = fc
  .tuple(fc.nat(parents.length - 1), fc.array(change, { minLength: 1, maxLength: 3 }))
  .map(([parent, changes]) => changes.reduce(changed, structuredClone(parents[parent]) as unknown));

/** Every place in a value: whose property it is, and which. */
function placesIn(value: unknown): { owner: Record<string, unknown>; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const owner = value as Record<string, unknown>;
  return Object.keys(owner).flatMap((key) => [{ owner, key }, ...placesIn(owner[key])]);
}

function changed(definition: unknown, { at, from, how, piece }: Change): unknown {
  const places = placesIn(definition);
  const place = places[at % Math.max(1, places.length)];
  if (!place) return piece;
  const { owner, key } = place;
  const others = parents.flatMap(placesIn);
  const other = others[from % others.length];
  if (how === 0) owner[key] = piece;
  else if (how === 1) delete owner[key];
  else if (how === 2) owner[String(words[from % words.length])] = piece;
  else if (how === 3) owner[key] = [owner[key], piece];
  else if (how === 4 && other) owner[key] = structuredClone(other.owner[other.key]);
  else if (other) owner[other.key] = structuredClone(other.owner[other.key]);
  return definition;
}

const someEvent = fc
  .record({
    payload: fc.dictionary(fc.constantFrom('total', 'status', 'note', 'id', 'items', 'paid', 'x'), fc.jsonValue()),
    previous: fc.oneof(fc.constant(null), fc.jsonValue()),
    operation: fc.constantFrom('insert', 'update'),
    changed: fc.constantFrom<readonly string[]>([], ['status']),
  })
  .map((change) => sampleEvent({ ...change, payload: change.payload as Json, previous: change.previous as Json }));

/** Stores, publishes and runs a definition as the product does; none of it may throw. */
function live(definition: WorkflowDefinition, event: ReturnType<typeof sampleEvent>): void {
  const stored = parseJson(stringifyJson(definition)) as unknown as WorkflowDefinition;
  expect(stored).toEqual(definition);
  const workflow = compileWorkflow(
    { workflowId: 'w', tenantId: event.tenantId, name: 'w', version: 1, definition: stored },
    handlers,
  );
  const subject = { event, now: event.occurredAt };
  expect([true, false, 'error', 'deferred']).toContain(workflow.conditions.test(subject));
  for (const { result } of workflow.conditions.trace(subject))
    expect([true, false, 'error', 'deferred']).toContain(result);
  for (const action of workflow.actions) {
    expect(action.compiled, 'what was valid compiles').not.toBeNull();
    action.conditions.test(subject);
    for (const { compiled } of action.recipients) if (compiled.kind === 'query') compiled.query(event);
    if (action.compiled?.kind !== 'inbox') continue;
    const message = action.compiled.compose({
      event,
      workflow: { id: 'w', name: 'w', version: 1 },
      recipient: sampleUser('ann'),
    });
    expect(typeof message.ok).toBe('boolean');
  }
}

describe('validateWorkflow, for any input', () => {
  test(`answers a result and never throws (seed ${seed})`, { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(piece, (input) => {
        const valid = validateWorkflow(input, context);
        expect(valid.ok).toBe(false);
        if (!valid.ok) expect(valid.error.length).toBeGreaterThan(0);
      }),
      { seed, numRuns: 3_000 },
    );
    expect('polluted' in {}).toBe(false);
  });

  test(`what it accepts of mutants of valid definitions is stored, compiled and matched without a throw (seed ${seed})`, {
    timeout: 120_000,
  }, () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(mutant, someEvent, (input, event) => {
        const valid = validateWorkflow(input, context);
        if (!valid.ok) {
          refused++;
          for (const { path, message } of valid.error) expect([typeof path, message === '']).toEqual(['string', false]);
          return;
        }
        accepted++;
        const { definition, name, description, status } = valid.value;
        live(definition, event);
        const again = validateWorkflow({ name, description, status, ...definition }, context);
        expect(again).toEqual(valid);
      }),
      { seed, numRuns: 2_000 },
    );
    expect(Math.min(accepted, refused)).toBeGreaterThan(100);
  });
});
