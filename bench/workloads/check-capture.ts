import type { Database } from '../../src/store/database.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { until } from '../../test/support/until.ts';
import { WrongAnswer } from '../benchmark.ts';

/** Every row of the captured table is one event, waiting or matched, and there is no other. */
export async function checkCapture(
  database: Database,
  options: { table: string; operation: 'insert' | 'update' },
): Promise<void> {
  const { rows } = await database.pool.query<{ rows: number; events: number; paired: number }>(
    `with events as (
       select entity_id from tocsin.events where operation = $1
       union all
       select entity_id from tocsin.event_history where operation = $1
     )
     select (select count(*)::int from public.${options.table}) as rows,
       (select count(*)::int from events) as events,
       (select count(distinct o.id)::int from public.${options.table} o join events e on e.entity_id = o.id::text) as paired`,
    [options.operation],
  );
  const { rows: written = 0, events = -1, paired = -1 } = rows[0] ?? {};
  const broken = await brokenInvariants(database);
  if (written !== events || written !== paired) {
    broken.push(
      `${written} rows came to ${events} events (${options.operation}), of which ${paired} are of different rows`,
    );
  }
  if (broken.length > 0) throw new WrongAnswer(broken);
}

/** Waits for a drain elsewhere to have matched everything. */
export async function untilDrained(database: Database): Promise<void> {
  await until(
    'the outbox is empty',
    async () => {
      const { rows } = await database.pool.query('select 1 from tocsin.events limit 1');
      return rows.length === 0;
    },
    60_000,
  );
}
