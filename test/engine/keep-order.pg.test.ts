import { describe, expect, test } from 'vitest';
import { holdBack, OrderIndex } from '../../src/engine/keep-order.ts';
import type { ClaimedEvent } from '../../src/store/claim-events.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

describe('holdBack', () => {
  test('holds what comes after one that waits, in whatever order a batch has its events', async () => {
    const { pool } = db.database;
    const { rows } = await pool.query<{ position: string }>(
      `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation)
       select 'acme', 'domain', 'order', '1', 'update' from generate_series(1, 3)
       returning position`,
    );
    const [first = '', , third = ''] = rows.map(({ position }) => position);
    const event = (position: string) =>
      ({ position, tenantId: 'acme', entityType: 'order', entityId: '1' }) as ClaimedEvent;
    for (const batch of [
      [first, third],
      [third, first],
    ]) {
      const options = { claimed: batch.map(event), ordered: new Set(batch), orderIndex: new OrderIndex(pool) };
      expect(await holdBack(pool, options)).toEqual(new Set([third]));
    }
  });
});
