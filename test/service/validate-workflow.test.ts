import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { EntityField, EntityType } from '../../src/model/entity-type.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { type ValidationContext, validateWorkflow } from '../../src/service/validate-workflow.ts';

const order = entityType('order', {
  id: 'number',
  status: 'text',
  total: 'number',
  note: 'text',
  owner_id: 'text',
  details: 'json',
  tags: 'array',
});
const invoice = entityType('invoice', { id: 'number', total: 'number', due_on: 'date' });

function entityType(name: string, fields: Record<string, EntityField['type']>): EntityType {
  return {
    name,
    fields: Object.entries(fields).map(([field, type]) => ({ name: field, type, nullable: true })),
    operations: ['insert', 'update', 'delete'],
    table: null,
  };
}

function context(change: Partial<ValidationContext> = {}): ValidationContext {
  return {
    handlers: createHandlers(),
    entityTypes: [order, invoice],
    savedQueries: new Map([['open_orders', ['customer']]]),
    templates: ['order_notification'],
    secrets: ['api_key'],
    ...change,
  };
}

function workflow(change: Record<string, unknown> = {}): WorkflowInput {
  return {
    name: 'Big orders',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 500 }],
    actions: [{ type: 'notification', title: 'Order {{ payload.id }}', message: '{{ payload.status }}' }],
    recipients: [{ type: 'role', id: 'admin' }],
    ...change,
  };
}

/** Each issue as `path: message`, what was meant in front of the rest. */
function issuesOf(input: unknown, given: ValidationContext = context()): string[] {
  const valid = validateWorkflow(input, given);
  return valid.ok ? [] : valid.error.map(({ path, message }) => `${path}: ${message}`);
}

describe('validateWorkflow', () => {
  test('answers the definition with defaults, ids and the actions in the order they run', () => {
    const notification = { type: 'notification', message: 'm' };
    const valid = validateWorkflow(
      workflow({
        actions: [
          { ...notification, title: 'third', order: 2 },
          { ...notification, title: 'second' },
          { ...notification, title: 'first', order: -1 },
          { ...notification, title: 'fourth', order: 2 },
        ],
      }),
      context(),
    );
    expect(valid).toMatchObject({
      ok: true,
      value: {
        name: 'Big orders',
        description: '',
        status: 'draft',
        definition: {
          triggers: [{ entityType: 'order', operation: 'insert', isActive: true, partId: expect.any(String) }],
          actions: [{ title: 'first' }, { title: 'second' }, { title: 'third' }, { title: 'fourth' }],
          settings: { queue: 'default', excludeActor: false, maxRecipients: 100_000, logSkipped: false },
        },
      },
    });
  });

  test('reports everything that is wrong at once, each where it stands', () => {
    const input = {
      nmae: 'x',
      status: 'aktive',
      triggers: [{ entityType: 'ordr', operation: 'insert' }, { operation: 'insert' }],
      conditions: [{ type: 'feild_value' }, { type: 'field_value', field: 'total', operator: 'gtt', value: 1 }],
      actions: [
        {
          type: 'notification',
          titel: 'x',
          message: '{{ payload.id',
          conditions: [3],
          recipients: [{ type: 'rol', id: 'x' }],
        },
        { type: 'notfication' },
      ],
      settings: { queues: 'x' },
    };
    const issues = issuesOf(input);
    expect(issues).toEqual(
      expect.arrayContaining([
        'name: is missing: expected string',
        'nmae: unknown field "nmae": did you mean "name"?',
        'status: unknown value "aktive": did you mean "active"?',
        'triggers[0].entityType: unknown entity type "ordr": did you mean "order"?',
        'triggers[1].entityType: is missing: expected string',
        'conditions[0].type: unknown condition type "feild_value": did you mean "field_value"?',
        'actions[0].titel: unknown field "titel": did you mean "title"?',
        'actions[0].title: is missing: expected string',
        'actions[0].recipients[0].type: unknown recipient type "rol": did you mean "role"?',
        'actions[1].type: unknown action type "notfication": did you mean "notification"?',
        'settings.queues: unknown field "queues": did you mean "queue"?',
      ]),
    );
    expect(issues.some((issue) => issue.startsWith('conditions[1].operator: unknown value "gtt"'))).toBe(true);
    expect(issues.some((issue) => issue.startsWith('actions[0].conditions[0]: '))).toBe(true);
    expect(new Set(issues).size).toBe(issues.length);
  });

  test('gives what is allowed and what was meant as data', () => {
    const valid = validateWorkflow(workflow({ triggers: [{ entityType: 'ordr', operation: 'insert' }] }), context());
    expect(valid).toMatchObject({
      ok: false,
      error: [{ path: 'triggers[0].entityType', allowed: ['order', 'invoice'], didYouMean: 'order' }],
    });
  });

  test('checks triggers against the operations and columns of the entity type', () => {
    expect(
      issuesOf(
        workflow({
          triggers: [
            { entityType: 'order', operation: 'updat' },
            { entityType: 'order', operation: 'update', fields: ['totl', 'status'] },
            { entityType: 'order', operation: 'insert', fields: ['total'] },
          ],
        }),
      ),
    ).toEqual([
      'triggers[0].operation: unknown operation of "order" "updat": did you mean "update"?',
      'triggers[1].fields[0]: unknown field of "order" "totl": did you mean "total"?',
      'triggers[2].fields: only updates change fields: leave it out, or listen to "update" instead of "insert"',
    ]);
  });

  test('takes every entity type and field when the host registered none', () => {
    const unknown = workflow({
      triggers: [{ entityType: 'anything', operation: 'happened' }],
      conditions: [{ type: 'field_value', field: 'whatever', operator: 'eq', value: 1 }],
    });
    expect(issuesOf(unknown, context({ entityTypes: [] }))).toEqual([]);
    expect(issuesOf(unknown)).toEqual([
      'triggers[0].entityType: unknown entity type "anything"; allowed: order, invoice',
    ]);
  });

  test('takes every field of an entity type whose fields nobody said', () => {
    const signup = { ...entityType('signup', {}), operations: ['created'] };
    const input = workflow({ triggers: [{ entityType: 'signup', operation: 'created' }] });
    expect(issuesOf(input, context({ entityTypes: [signup] }))).toEqual([]);
  });

  test('checks what conditions, recipients and templates read', () => {
    expect(
      issuesOf(
        workflow({
          conditions: [
            { type: 'field_value', field: 'totl', operator: 'gt', value: 1 },
            { type: 'field_value', field: 'previous.statsu', operator: 'eq', value: 'new' },
            { type: 'field_value', field: 'event.actr', operator: 'eq', value: 'u1' },
          ],
          actions: [
            { type: 'notification', title: '{{ payload.custmer }}', message: '{{ event.operatin }} {{ payload.id }}' },
          ],
          recipients: [{ type: 'field', field: 'owner' }],
        }),
      ),
    ).toEqual([
      'conditions[0].field: unknown field of "order" "totl": did you mean "total"?',
      'conditions[1].field: unknown field of "order" "statsu": did you mean "status"?',
      'conditions[2].field: unknown field of the event "actr": did you mean "actor"?',
      expect.stringMatching(/^recipients\[0\]\.field: unknown field of "order" "owner"/),
      expect.stringMatching(/^actions\[0\]\.title: unknown field of "order" "custmer"/),
      'actions[0].message: unknown field of the event "operatin": did you mean "operation"?',
    ]);
  });

  test('lets everything stand below json and arrays, and nothing below other types', () => {
    const reads = (field: string) => ({ type: 'field_value', field, operator: 'is_not_null' });
    expect(issuesOf(workflow({ conditions: [reads('details.customer.city'), reads('tags.0')] }))).toEqual([]);
    expect(issuesOf(workflow({ conditions: [reads('total.amount'), reads('note.length')] }))).toEqual([
      'conditions[0].field: "total" is of type number: there is no "amount" in it',
      'conditions[1].field: "note" is of type text: there is no "length" in it',
    ]);
    const notification = (message: string) => workflow({ actions: [{ type: 'notification', title: 't', message }] });
    expect(issuesOf(notification('{{ payload.note.length }} {{ payload.note[0] }}'))).toEqual([]);
    expect(issuesOf(notification('{{ payload.note.words }}'))).toEqual([
      'actions[0].message: "note" is of type text: there is no "words" in it',
    ]);
  });

  test('wants a field in every entity type that the triggers listen to', () => {
    const both = [
      { entityType: 'order', operation: 'insert' },
      { entityType: 'invoice', operation: 'insert' },
    ];
    expect(issuesOf(workflow({ triggers: both }))).toEqual([
      'actions[0].message: "status" is a field of "order" but not of "invoice", which the triggers listen to as well',
    ]);
  });

  test('wants stored templates, secrets and saved queries to exist', () => {
    expect(
      issuesOf(
        workflow({
          conditions: [{ type: 'query_match', query: 'open_order', parameters: { customer: { value: 1 } } }],
          actions: [
            { type: 'email', template: 'order_notificaton' },
            {
              type: 'webhook',
              url: 'https://example.com/hook',
              method: 'POST',
              headers: { Authorization: 'Bearer {{ secret.api_kee }}' },
            },
          ],
        }),
      ),
    ).toEqual([
      'conditions[0].query: unknown saved query "open_order": did you mean "open_orders"?',
      'actions[0].template: unknown template "order_notificaton": did you mean "order_notification"?',
      expect.stringMatching(/^actions\[1\]\.headers.*: unknown secret "api_kee": did you mean "api_key"\?$/),
    ]);
  });

  test('wants recipients for an action that tells recipients, of its own or of the workflow', () => {
    const own = { type: 'notification', title: 't', message: 'm', recipients: [{ type: 'user', id: 'u1' }] };
    expect(issuesOf(workflow({ recipients: [], actions: [own] }))).toEqual([]);
    expect(issuesOf(workflow({ recipients: undefined }))).toEqual([
      'actions[0].recipients: an action of type "notification" tells recipients: give them to it or to the workflow',
    ]);
    const webhook = { type: 'webhook', url: 'https://example.com/hook', method: 'POST' };
    expect(issuesOf(workflow({ recipients: [], actions: [webhook] }))).toEqual([]);
  });

  test('wants a retry policy whose longest wait is not below its first', () => {
    const retry = (policy: object) =>
      workflow({ actions: [{ type: 'notification', title: 't', message: 'm', retry: policy }] });
    expect(issuesOf(retry({ initialIntervalMs: 1_000, maxIntervalMs: 1_000 }))).toEqual([]);
    expect(issuesOf(retry({ initialIntervalMs: 2_000, maxIntervalMs: 1_000 }))).toEqual([
      'actions[0].retry.maxIntervalMs: maxIntervalMs (1000) is less than initialIntervalMs (2000)',
    ]);
    expect(issuesOf(retry({ maxIntervalMs: 1_000 }))).toEqual([
      'actions[0].retry.maxIntervalMs: maxIntervalMs (1000) is less than initialIntervalMs (5000): give initialIntervalMs too, its default is more',
    ]);
    expect(issuesOf(retry({ initialIntervalMs: 86_400_000 }))).toEqual([
      'actions[0].retry.initialIntervalMs: maxIntervalMs (36000000) is less than initialIntervalMs (86400000): give maxIntervalMs too, its default is less',
    ]);
    expect(issuesOf(retry({ maxAttemps: 3 }))).toEqual([
      'actions[0].retry.maxAttemps: unknown field "maxAttemps": did you mean "maxAttempts"?',
    ]);
  });

  test('refuses part ids that stand twice', () => {
    const part = { partId: 'p', type: 'role', id: 'admin' };
    expect(issuesOf(workflow({ recipients: [part, part] }))).toEqual([
      'recipients[1].partId: "p" is also the id of recipients[0]: leave it out here',
    ]);
  });

  test('refuses what cannot be stored, once, beside the rest', () => {
    expect(issuesOf(workflow({ name: 'a\u0000', status: 'aktive' }))).toEqual([
      'name: holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store',
      'status: unknown value "aktive": did you mean "active"?',
    ]);
    expect(issuesOf(workflow({ description: 'x'.repeat(300_000) }))).toEqual([': is larger than 256 KiB as JSON']);
    for (const input of [null, 'x', 3, [], undefined]) expect(issuesOf(input)).not.toEqual([]);
  });

  test('refuses a definition whose handler throws', () => {
    const handlers = createHandlers();
    handlers.actions.register({
      type: 'broken',
      schema: z.strictObject({}),
      audience: 'once',
      defaultTimeoutMs: 1_000,
      compile: () => {
        throw new Error('boom');
      },
    });
    expect(issuesOf(workflow({ actions: [{ type: 'broken' }] }), context({ handlers }))).toEqual([
      'actions[0]: its handler failed: boom',
    ]);
  });

  test('says at most a hundred things', () => {
    const conditions = Array.from({ length: 2_000 }, () => ({ type: 'x' }));
    expect(issuesOf(workflow({ conditions }))).toHaveLength(100);
  });
});
