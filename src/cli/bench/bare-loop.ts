import type pg from 'pg';
import { intArray, textArray, uuidArray } from '../../store/array-parameter.ts';
import { type Connection, connect } from '../../store/connection.ts';
import type { Database } from '../../store/database.ts';

/** A row as it is to be written, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** What is to be written for one event. */
export type PlannedRows = { readonly execution: Row; readonly delivery: Row; readonly notification: Row | null };

const batchSize = 500;
const connections = 2;
const connectOptions = { applicationName: 'tocsin bench', answerWithinMs: 60_000 };

const historyColumns =
  'id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context, idempotency_key, occurred_at, attempts';

/** Tables that are written, with the types of their columns. */
const tables = {
  execution: {
    name: 'tocsin.executions',
    columns: {
      id: 'uuid',
      tenant_id: 'text',
      workflow_id: 'uuid',
      workflow_version: 'int',
      event_id: 'uuid',
      status: 'text',
      reason: 'text',
      trace: 'json',
      deliveries_open: 'int',
      deliveries_done: 'int',
      deliveries_failed: 'int',
      completed_at: 'timestamptz',
    },
  },
  delivery: {
    name: 'tocsin.deliveries',
    columns: {
      id: 'uuid',
      tenant_id: 'text',
      execution_id: 'uuid',
      action_id: 'text',
      action_type: 'text',
      recipient_id: 'text',
      recipient: 'json',
      queue: 'text',
      status: 'text',
      reason: 'text',
      completed_at: 'timestamptz',
    },
  },
  notification: {
    name: 'tocsin.notifications',
    columns: {
      id: 'uuid',
      tenant_id: 'text',
      user_id: 'text',
      execution_id: 'uuid',
      title: 'text',
      message: 'text',
      priority: 'text',
      link: 'text',
    },
  },
} as const;

/** Reads the rows of a table as `insertRows` takes them. */
export async function readRows(client: pg.Pool, table: keyof typeof tables): Promise<readonly Row[]> {
  const { name, columns } = tables[table];
  const selected = Object.entries(columns).map(([column, type]) => (isText(type) ? `${column}::text` : column));
  return (await client.query<Row>(`select ${selected.join(', ')} from ${name}`)).rows;
}

/** Reads what stands written, by event, as the rows for a bare loop to write. */
export async function readPlannedRows(client: pg.Pool): Promise<Map<string, PlannedRows>> {
  const deliveries = new Map((await readRows(client, 'delivery')).map((row) => [row.execution_id, row]));
  const notifications = new Map((await readRows(client, 'notification')).map((row) => [row.execution_id, row]));
  return new Map(
    (await readRows(client, 'execution')).map((execution) => [
      String(execution.event_id),
      {
        execution,
        delivery: deliveries.get(execution.id) ?? {},
        notification: notifications.get(execution.id) ?? null,
      },
    ]),
  );
}

function isText(type: string): boolean {
  return type === 'json' || type === 'timestamptz';
}

/** How the columns of a bulk insert travel: as arrays the way the driver writes them, or in the binary format. */
export type ParameterFormat = 'text' | 'binary';

/**
 * The least that can be done for the same rows, by two connections: claims 500 events with `skip locked`, deletes them and
 * moves them to the history in one statement, inserts rows that are known beforehand with one bulk insert per table, and
 * commits, with the claim of the next batch in the same flight. Nothing is matched, rendered or decided.
 */
export async function runBareLoop(
  database: Database,
  options: { planned: ReadonlyMap<string, PlannedRows>; format: ParameterFormat },
): Promise<void> {
  await Promise.all(Array.from({ length: connections }, () => drainBare(database, options)));
}

async function drainBare(
  database: Database,
  { planned, format }: { planned: ReadonlyMap<string, PlannedRows>; format: ParameterFormat },
): Promise<void> {
  const client = await connect(database, { ...connectOptions, onError: () => undefined });
  await client.query('set enable_seqscan = off');
  let [, claimed] = await Promise.all([client.query('begin'), claim(client)]);
  while (claimed.length > 0) {
    const rows = claimed.map((id) => planned.get(id) as PlannedRows);
    const inserts = (['execution', 'delivery', 'notification'] as const).map((table) =>
      insertRows(client, { table, format, rows: rows.map((row) => row[table]).filter((row) => row !== null) }),
    );
    const flight = [...inserts, client.query('commit'), client.query('begin')];
    [claimed] = await Promise.all([claim(client), ...flight]);
  }
  await client.query('commit');
  await client.end();
}

/** Answers the ids of the events it took. The images come along: a loop that decided anything would need them. */
async function claim(client: Connection): Promise<string[]> {
  const { rows } = await client.query<{ id: string; payload: string }>({
    name: 'bare_claim',
    text: `
      with claimed as (
        delete from tocsin.events
        where position = any(array(
          select position
          from tocsin.events
          order by position
          limit $1
          for update skip locked))
        returning ${historyColumns}
      ), moved as (
        insert into tocsin.event_history (${historyColumns})
        select ${historyColumns}
        from claimed
      )
      select id, payload::text as payload
      from claimed`,
    values: [batchSize],
  });
  return rows.map(({ id }) => id);
}

/** Writes rows of a table in one statement. */
export async function insertRows(
  client: Connection,
  what: { table: keyof typeof tables; format: ParameterFormat; rows: readonly Row[] },
): Promise<void> {
  if (what.rows.length === 0) return;
  const { name, columns } = tables[what.table];
  const names = Object.keys(columns);
  const parameters = Object.values(columns).map((type, index) => `$${index + 1}::${wireTypes[type]}[]`);
  const selected = Object.entries(columns).map(([column, type]) => `${column}::${type}`);
  await client.query({
    name: `bare_${what.table}`,
    text: `
      insert into ${name} (${names.join(', ')})
      select ${selected.join(', ')}
      from unnest(${parameters.join(', ')}) as row (${names.join(', ')})`,
    values: Object.entries(columns).map(([column, type]) => {
      const values = what.rows.map((row) => row[column]);
      return what.format === 'binary' ? binaryArrays[wireTypes[type]](values as never[]) : values;
    }),
  });
}

/** As what a column travels. */
const wireTypes = { uuid: 'uuid', text: 'text', int: 'int', json: 'text', timestamptz: 'text' } as const;

const binaryArrays = { uuid: uuidArray, text: textArray, int: intArray };
