import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bulkRows } from '../../src/store/bulk-rows.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

type Row = { readonly id: string; readonly name: string | null; readonly owner: string | null };

const rowsOf = bulkRows<Row>({ name: 'id', type: 'uuid', of: ({ id }) => id }, [
  { name: 'name', type: 'text', of: ({ name }) => name },
  { name: 'owner', type: 'uuid', of: ({ owner }) => owner },
]);

/** What the server makes of the rows, behind a parameter of the statement's own. */
async function received(rows: readonly Row[]): Promise<Row[]> {
  const result = await db.database.pool.query<Row>(
    `select id, name, owner from ${rowsOf.from(2)} where id <> $1::uuid order by id`,
    ['00000000-0000-0000-0000-000000000000', ...rowsOf.parameters(rows)],
  );
  return result.rows;
}

const id = fc.uuid();
const nameOrNull = fc.option(fc.constantFrom('', 'ann', 'Grüße 👋', 'null', '{}'));
const anyRows = fc.uniqueArray(fc.record({ id, name: nameOrNull, owner: fc.option(id) }), {
  selector: (row) => row.id,
});
/** All have the same in one column or in both. */
const alikeRows = fc
  .tuple(anyRows, nameOrNull, fc.option(id), fc.boolean(), fc.boolean())
  .map(([rows, name, owner, sameName, sameOwner]) =>
    rows.map((row) => ({ ...row, ...(sameName ? { name } : {}), ...(sameOwner ? { owner } : {}) })),
  );

describe('bulkRows', () => {
  test('arrive as they were given: columns that differ, are the same, are null here and there or throughout, no rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyRows, alikeRows), async (rows) => {
        expect(await received(rows)).toEqual(rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
      }),
      { examples: [[[]]] },
    );
  });

  test('send what all rows have in common once', () => {
    const rows = Array.from({ length: 3 }, (_, index) => ({
      id: `00000000-0000-0000-0000-00000000000${index}`,
      name: 'ann',
      owner: null,
    }));
    const [ids, ...others] = rowsOf.parameters(rows);
    expect(ids).toBeInstanceOf(Buffer);
    expect(others).toEqual([null, null, 'ann', null]);
    expect(others).toHaveLength(rowsOf.size - 1);
  });
});
