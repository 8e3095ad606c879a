import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { type Change, WriterLedger, type WriterOutcome } from '../support/writer-ledger.ts';
import { type ChaosWorld, tenants } from './chaos-world.ts';
import type { Random } from './random.ts';

class RefundRequested extends DomainEvent {
  readonly id: string;

  constructor(tenantId: string, id: string) {
    super({ tenantId, idempotencyKey: id });
    this.id = id;
  }
}

/** A transaction with the changes it makes; its key stands in table `written` when it is committed. */
type Transaction = { readonly key: string; readonly changes: readonly Change[] };

const answerWithinMs = 4_000;
const longestTransactionMs = 200;

/**
 * Hosts that write: transactions of 0-200 ms with captured changes, some rolled back, and domain events that are submitted
 * again under the same key when nobody knows whether they were stored. They note what they did.
 */
export class Writers {
  readonly ledger = new WriterLedger();
  readonly counts = { committed: 0, rolledBack: 0, unknown: 0, submittedAgain: 0 };
  readonly #world: ChaosWorld;
  readonly #acknowledged: Transaction[] = [];
  readonly #unknown: Transaction[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  start(randoms: readonly Random[]): void {
    for (const [writer, random] of randoms.entries()) this.#running.push(this.#run(`w${writer}`, random));
  }

  /** Ends the writers; domain events whose outcome is unknown are submitted until it is known: heal the database first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  /** Finds out what came of the transactions with unknown outcomes; answers acknowledged ones that are lost. */
  async settle(): Promise<string[]> {
    const { rows } = await this.#world.tocsin.database.pool.query<{ transaction_key: string }>(
      'select transaction_key from written',
    );
    const written = new Set(rows.map(({ transaction_key }) => transaction_key));
    for (const transaction of this.#unknown)
      this.#note(transaction, written.has(transaction.key) ? 'committed' : 'rolled_back');
    return this.#acknowledged
      .filter(({ key }) => !written.has(key))
      .map(({ key }) => `transaction ${key} was acknowledged and is lost`);
  }

  async #run(name: string, random: Random): Promise<void> {
    let client: pg.Client | undefined;
    for (let n = 0; !this.#stopping.signal.aborted; n++) {
      client ??= await this.#connect();
      if (client === undefined) continue;
      const key = `${name}-${n}`;
      client = await (random.chance(0.3)
        ? this.#submitEvent(client, { key, random })
        : this.#writeRows(client, { key, random }));
    }
    leave(client);
  }

  /** A new connection; undefined when the database is away. */
  async #connect(): Promise<pg.Client | undefined> {
    const fresh = new pg.Client({
      connectionString: this.#world.writersProxy.url,
      connectionTimeoutMillis: answerWithinMs,
      query_timeout: answerWithinMs,
    });
    fresh.on('error', () => undefined);
    try {
      await fresh.connect();
      return fresh;
    } catch {
      leave(fresh);
      await wait(50);
      return undefined;
    }
  }

  /** One to three inserts and updates in one transaction. Answers the connection if it is still good. */
  async #writeRows(
    client: pg.Client,
    { key, random }: { key: string; random: Random },
  ): Promise<pg.Client | undefined> {
    const tenantId = random.pick(tenants);
    const order = { tenantId, entityType: 'order', entityId: key };
    const changes: Change[] = [{ ...order, operation: 'insert' }];
    const statements = [
      `insert into orders values ('${key}', '${tenantId}', '${random.pick(['ann', 'zoe'])}', 0)`,
      `insert into written values ('${key}')`,
    ];
    for (let version = 1; version <= random.between(0, 2); version++) {
      changes.push({ ...order, operation: 'update' });
      statements.push(`update orders set version = ${version} where id = '${key}'`);
    }
    const transaction = { key, changes };
    const isRolledBack = random.chance(0.15);
    const pauseMs = random.between(0, longestTransactionMs);
    try {
      await client.query('begin');
      for (const statement of statements) await client.query(statement);
      await wait(pauseMs);
      if (isRolledBack) await client.query('rollback');
    } catch {
      // Nobody has asked for a commit, and with this connection nobody will.
      leave(client);
      this.#note(transaction, 'rolled_back');
      return undefined;
    }
    if (isRolledBack) {
      this.#note(transaction, 'rolled_back');
      return client;
    }
    try {
      await client.query('commit');
    } catch {
      leave(client);
      this.counts.unknown += 1;
      this.#unknown.push(transaction);
      return undefined;
    }
    this.#acknowledged.push(transaction);
    this.#note(transaction, 'committed');
    return client;
  }

  /** One domain event, submitted under its key until somebody says that it is stored. Answers the connection that did it. */
  async #submitEvent(
    first: pg.Client,
    { key, random }: { key: string; random: Random },
  ): Promise<pg.Client | undefined> {
    const event = new RefundRequested(random.pick(tenants), key);
    const change = { tenantId: event.tenantId, entityType: 'refund', entityId: key, operation: 'requested' };
    let client: pg.Client | undefined = first;
    for (;;) {
      try {
        if (client === undefined) throw new Error('no connection');
        await client.query('begin');
        const { eventId } = unwrap(await this.#world.tocsin.events.dispatch(event, { tx: client }));
        await client.query('commit');
        this.ledger.note(change, 'committed', eventId);
        this.counts.committed += 1;
        return client;
      } catch {
        this.counts.submittedAgain += 1;
        leave(client);
        client = await this.#connect();
      }
    }
  }

  #note({ changes }: Transaction, outcome: WriterOutcome): void {
    if (outcome === 'committed') this.counts.committed += 1;
    if (outcome === 'rolled_back') this.counts.rolledBack += 1;
    for (const change of changes) this.ledger.note(change, outcome);
  }
}

/** Ends a connection, whatever state it is in; an open transaction of it is rolled back. */
function leave(client: pg.Client | undefined): void {
  client?.end().catch(() => undefined);
}
