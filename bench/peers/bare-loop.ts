import pg from 'pg';

/** A row as it is to be written, by column. */
type Row = Readonly<Record<string, unknown>>;

/** What is to be written for one event. */
export type PlannedRows = { readonly execution: Row; readonly delivery: Row; readonly notification: Row | null };

const batchSize = 500;
const connections = 2;

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

/** Reads what stands written, by event, as the rows for a bare loop to write. */
export async function readPlannedRows(client: pg.Pool): Promise<Map<string, PlannedRows>> {
  const read = async (table: (typeof tables)[keyof typeof tables]) => {
    const columns = Object.entries(table.columns).map(([name, type]) => (type === 'json' ? `${name}::text` : name));
    return (await client.query<Record<string, unknown>>(`select ${columns.join(', ')} from ${table.name}`)).rows;
  };
  const deliveries = new Map((await read(tables.delivery)).map((row) => [row.execution_id, row]));
  const notifications = new Map((await read(tables.notification)).map((row) => [row.execution_id, row]));
  return new Map(
    (await read(tables.execution)).map((execution) => [
      String(execution.event_id),
      {
        execution,
        delivery: deliveries.get(execution.id) ?? {},
        notification: notifications.get(execution.id) ?? null,
      },
    ]),
  );
}

/**
 * The least that can be done for the same rows: claims 500 events with `skip locked`, moves them to the history, and inserts
 * rows that are known beforehand, in one transaction; two connections, statements pipelined. Nothing is matched, rendered or
 * decided.
 */
export async function runBareLoop(
  url: string,
  planned: ReadonlyMap<string, PlannedRows>,
  how: 'server' | 'node',
): Promise<void> {
  await Promise.all(Array.from({ length: connections }, () => drainBare(url, planned, how)));
}

async function drainBare(
  url: string,
  planned: ReadonlyMap<string, PlannedRows>,
  how: 'server' | 'node',
): Promise<void> {
  const client = new pg.Client({ connectionString: url, pipeline: true });
  await client.connect();
  await client.query('set enable_seqscan = off');
  let [, claimed] = await Promise.all([client.query('begin'), claim(client, how)]);
  while (claimed.length > 0) {
    const rows = claimed.map(({ id }) => planned.get(id as string) as PlannedRows);
    const history = how === 'node' ? [insertHistory(client, claimed)] : [];
    const inserts = (['execution', 'delivery', 'notification'] as const).map((kind) =>
      insert(
        client,
        kind,
        rows.map((row) => row[kind]).filter((row) => row !== null),
      ),
    );
    const flight = [...history, ...inserts, client.query('commit'), client.query('begin')];
    [claimed] = await Promise.all([claim(client, how), ...flight]);
  }
  await client.query('commit');
  await client.end();
}

const claimMoved = {
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
    select id, payload::text
    from claimed`,
  values: [batchSize],
};

const claimOnly = {
  name: 'bare_claim',
  text: `
      delete from tocsin.events
      where position = any(array(
        select position
        from tocsin.events
        order by position
        limit $1
        for update skip locked))
      returning ${historyColumns.replace('payload, previous', 'payload::text, previous::text').replace('occurred_at', 'occurred_at::text')}`,
  values: [batchSize],
};

async function claim(client: pg.Client, how: 'server' | 'node'): Promise<Record<string, string>[]> {
  return (await client.query<Record<string, string>>(how === 'server' ? claimMoved : claimOnly)).rows;
}

async function insertHistory(client: pg.Client, rows: readonly Row[]): Promise<void> {
  const names = historyColumns.split(', ');
  const types = [
    'uuid',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'text',
    'timestamptz',
    'smallint',
  ];
  const parameters = types.map((type, index) => `$${index + 1}::${type}[]`);
  await client.query({
    name: 'bare_history',
    text: `
      insert into tocsin.event_history (${historyColumns})
      select ${historyColumns.replace('payload, previous, changed', 'payload::json, previous::json, changed::text[]')}
      from unnest(${parameters.join(', ')}) as row (${historyColumns})`,
    values: names.map((name) => rows.map((row) => row[name])),
  });
}

async function insert(client: pg.Client, kind: keyof typeof tables, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return;
  const { name, columns } = tables[kind];
  const names = Object.keys(columns);
  const types = Object.values(columns).map((type) => (type === 'json' ? 'text' : type));
  const parameters = types.map((type, index) => `$${index + 1}::${type}[]`);
  const selected = Object.entries(columns).map(([column, type]) => (type === 'json' ? `${column}::json` : column));
  await client.query({
    name: `bare_${kind}`,
    text: `
      insert into ${name} (${names.join(', ')})
      select ${selected.join(', ')}
      from unnest(${parameters.join(', ')}) as row (${names.join(', ')})`,
    values: names.map((column) => rows.map((row) => row[column])),
  });
}
