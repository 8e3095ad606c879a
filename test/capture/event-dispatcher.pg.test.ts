import { drizzle } from 'drizzle-orm/node-postgres';
import { describe, expect, test } from 'vitest';
import { DomainEvent, type DomainEventOptions } from '../../src/capture/domain-event.ts';
import { type DispatchOptions, EventDispatcher } from '../../src/capture/event-dispatcher.ts';
import { WorkflowEventHandler } from '../../src/capture/workflow-event-handler.ts';
import { WorkflowError } from '../../src/errors.ts';
import { err, ok, unwrap } from '../../src/model/result.ts';
import { idleLockKey, wakeUpChannel } from '../../src/model/wake-up.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { hostSession } from './host-table.ts';

const db = useTestDatabase();

class OrderPlaced extends DomainEvent {
  readonly id: unknown;
  readonly total: bigint | number;
  readonly note?: unknown;

  constructor(options: Partial<DomainEventOptions> & { id: unknown; total?: bigint | number; note?: unknown }) {
    super({ tenantId: 't', ...options });
    this.id = options.id;
    this.total = options.total ?? 1;
    if (options.note !== undefined) this.note = options.note;
  }
}

class OrderRefunded extends OrderPlaced {
  override toPrevious(): Record<string, unknown> {
    return { refunded: false };
  }
}

function dispatcher(): EventDispatcher {
  const events = new EventDispatcher();
  events.registerHandler(DomainEvent, new WorkflowEventHandler(db.database));
  return events;
}

async function stored(entityId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await db.database.pool.query(
    `select id, tenant_id, source, entity_type, operation, payload::text as payload, previous::text as previous, actor,
       trace_context, idempotency_key, occurred_at
     from tocsin.events
     where entity_id = $1
     order by position`,
    [entityId],
  );
  return rows;
}

describe('EventDispatcher', () => {
  test('stores an event of the workflow handler in a transaction of its own', async () => {
    const { eventId, duplicate } = unwrap(
      await dispatcher().dispatch(
        new OrderRefunded({
          id: 'all',
          total: 9007199254740993n,
          note: { at: new Date(0), tags: ['ä'] },
          actor: 'ann',
          traceContext: '00-ab-cd-01',
          occurredAt: new Date('2026-01-02T03:04:05.678Z'),
        }),
      ),
    );
    expect(duplicate).toBe(false);
    expect(await stored('all')).toEqual([
      {
        id: eventId,
        tenant_id: 't',
        source: 'domain',
        entity_type: 'order',
        operation: 'refunded',
        payload: '{"id":"all","total":9007199254740993,"note":{"at":"1970-01-01T00:00:00.000Z","tags":["ä"]}}',
        previous: '{"refunded":false}',
        actor: 'ann',
        trace_context: '00-ab-cd-01',
        idempotency_key: null,
        occurred_at: new Date('2026-01-02T03:04:05.678Z'),
      },
    ]);
  });

  test('stores it in the transaction of a pg client, and of drizzle, and it goes with them', async () => {
    const events = dispatcher();
    const { client, run } = await hostSession(db);
    await run('begin');
    unwrap(await events.dispatch(new OrderPlaced({ id: 'client' }), { tx: client }));
    expect(await stored('client')).toEqual([]);
    await run('commit');
    expect(await stored('client')).toHaveLength(1);
    await run('begin');
    unwrap(await events.dispatch(new OrderPlaced({ id: 'client 2', idempotencyKey: 'client 2' }), { tx: client }));
    await run('rollback');
    expect(await stored('client 2')).toEqual([]);
    expect(
      unwrap(await events.dispatch(new OrderPlaced({ id: 'client 2', idempotencyKey: 'client 2' }))),
    ).toMatchObject({ duplicate: false });

    const orm = drizzle(client);
    await orm.transaction(async (tx) => unwrap(await events.dispatch(new OrderPlaced({ id: 'orm' }), { tx })));
    expect(await stored('orm')).toHaveLength(1);
    await expect(
      orm.transaction(async (tx) => {
        unwrap(await events.dispatch(new OrderPlaced({ id: 'orm 2' }), { tx }));
        throw new Error('the caller changed its mind');
      }),
    ).rejects.toThrow('changed its mind');
    expect(await stored('orm 2')).toEqual([]);
  });

  test('answers the first event for a key that was dispatched before, in the same tenant', async () => {
    const events = dispatcher();
    const keyed = (tenantId: string) => new OrderPlaced({ id: 'keyed', idempotencyKey: 'k1', tenantId });
    const first = unwrap(await events.dispatch(keyed('t')));
    const second = unwrap(await events.dispatch(keyed('t')));
    const other = unwrap(await events.dispatch(keyed('u')));
    expect(second).toEqual({ eventId: first.eventId, duplicate: true });
    expect(other.duplicate).toBe(false);
    expect((await stored('keyed')).map(({ tenant_id }) => tenant_id)).toEqual(['t', 'u']);
  });

  test('answers the first event for a key that is dispatched twenty times at once', async () => {
    const events = dispatcher();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () =>
        unwrap(await events.dispatch(new OrderPlaced({ id: 'race', idempotencyKey: 'race' }))),
      ),
    );
    expect(new Set(answers.map(({ eventId }) => eventId)).size).toBe(1);
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await stored('race')).toHaveLength(1);
  });

  test('waits for an open transaction with the same key, and takes its place if it is rolled back', async () => {
    const events = dispatcher();
    const { client, run } = await hostSession(db);
    const keyed = () => new OrderPlaced({ id: 'waits', idempotencyKey: 'waits' });
    await run('begin');
    unwrap(await events.dispatch(keyed(), { tx: client }));
    const second = events.dispatch(keyed());
    await run('rollback');
    expect(unwrap(await second)).toMatchObject({ duplicate: false });
    expect(await stored('waits')).toHaveLength(1);
  });

  test('notifies only while a drain says that it sleeps', async () => {
    const listener = await hostSession(db);
    const heard: (string | undefined)[] = [];
    const ended = new Promise<void>((resolve) => {
      listener.client.on('notification', ({ payload }) => (payload === 'end' ? resolve() : heard.push(payload)));
    });
    await listener.run(`listen ${wakeUpChannel}`);
    unwrap(await dispatcher().dispatch(new OrderPlaced({ id: 'busy' })));
    await listener.run('select pg_advisory_lock($1)', [idleLockKey]);
    unwrap(await dispatcher().dispatch(new OrderPlaced({ id: 'idle' })));
    await listener.run(`notify ${wakeUpChannel}, 'end'`);
    await ended;
    await listener.run('select pg_advisory_unlock($1)', [idleLockKey]);
    expect(heard).toEqual(['']);
  });

  test("runs the handlers of the class and its base classes, in the order they were registered, with the caller's transaction", async () => {
    const events = new EventDispatcher();
    const { client, run } = await hostSession(db);
    const ran: string[] = [];
    const note = (name: string) => ({
      handle: async (_event: DomainEvent, options: DispatchOptions) => {
        ran.push(`${name}${options.tx === client ? '' : ' without tx'}`);
        return ok(null);
      },
    });
    events.registerHandler(OrderPlaced, note('base'));
    events.registerHandler(DomainEvent, new WorkflowEventHandler(db.database));
    events.registerHandler(OrderRefunded, note('own'));
    events.registerHandler(class Other extends DomainEvent {}, note('other'));
    await run('begin');
    unwrap(await events.dispatch(new OrderRefunded({ id: 'order' }), { tx: client }));
    await run('rollback');
    expect(ran).toEqual(['base', 'own']);
  });

  test('says so when nobody stores the event, and stops at the first refusal', async () => {
    const events = new EventDispatcher();
    expect(await events.dispatch(new OrderPlaced({ id: 'x' }))).toMatchObject(
      err({
        code: 'invalid',
        message: 'no handler stores OrderPlaced: registerHandler(OrderPlaced, workflowEventHandler)',
      }),
    );
    const refusal = new WorkflowError('not_allowed', 'not on Sundays');
    events.registerHandler(OrderPlaced, { handle: async () => err(refusal) });
    events.registerHandler(OrderPlaced, new WorkflowEventHandler(db.database));
    expect(await events.dispatch(new OrderPlaced({ id: 'refused' }))).toEqual(err(refusal));
    expect(await stored('refused')).toEqual([]);
  });
});

describe('WorkflowEventHandler', () => {
  test.each([
    ['tenantId', { tenantId: '' }],
    ['tenantId', { tenantId: 'x'.repeat(256) }],
    ['idempotencyKey', { idempotencyKey: '' }],
    ['idempotencyKey', { idempotencyKey: 'ä'.repeat(256) }],
    ['actor', { actor: '\u0000' }],
    ['entityId', { id: '\ud800' }],
    ['occurredAt', { occurredAt: new Date(Number.NaN) }],
    ['occurredAt', { occurredAt: new Date('-000044-03-15') }],
    ['payload.note.text[1]', { note: { text: ['', '\u0000'] } }],
    ['payload', { note: 'x'.repeat(1_048_577) }],
  ])('refuses what cannot be stored: %s', async (path, fields) => {
    const result = await dispatcher().dispatch(new OrderPlaced({ id: 'refused', ...fields }));
    const issues = result.ok ? [] : result.error.issues.map((issue) => issue.path);
    expect(issues[0]).toBe(path);
  });

  test('stores the longest keys that it lets through', async () => {
    const event = new OrderPlaced({
      id: 'long',
      tenantId: '\u{1F600}'.repeat(127),
      idempotencyKey: '\uffff'.repeat(255),
    });
    expect(unwrap(await dispatcher().dispatch(event))).toMatchObject({ duplicate: false });
  });

  test('asks for a name when the class does not tell one', async () => {
    class Refunded extends DomainEvent {}
    expect(await dispatcher().dispatch(new Refunded({ tenantId: 't' }))).toMatchObject(
      err({
        code: 'invalid',
        issues: [{ path: 'entityType', message: expect.stringContaining("static entityType = '...'") }],
      }),
    );
  });
});
