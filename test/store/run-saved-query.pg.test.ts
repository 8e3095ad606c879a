import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { exactNumber } from '../../src/model/decimal.ts';
import type { EntityField, EntityType, FieldType } from '../../src/model/entity-type.ts';
import { type Json, parseJson } from '../../src/model/json.ts';
import { unwrap } from '../../src/model/result.ts';
import type { SavedFilter } from '../../src/model/saved-filter.ts';
import { fitParameters, type SavedQuery, validateSavedQuery } from '../../src/model/saved-query.ts';
import { runSavedQuery } from '../../src/store/run-saved-query.ts';
import { seed } from '../support/fuzz.ts';
import { matchesFilter } from '../support/matches-filter.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

const columns: Record<string, { type: FieldType; sql: string; values: readonly string[] }> = {
  name: {
    type: 'text',
    // As the database of a host may sort: a before B, and é before f.
    sql: 'text collate "und-x-icu"',
    values: [
      '',
      'a',
      'B',
      'ab',
      'A%b',
      'x_y',
      'a\\b',
      "o'clock",
      'é',
      '\u{1F600}',
      '\uFFFD',
      'a\n\t"',
      '$1',
      '\u202eb',
      '1e5',
      'null',
    ],
  },
  'odd "name"': { type: 'text', sql: 'varchar(20)', values: ['a', 'b', '10', '9'] },
  units: { type: 'number', sql: 'integer', values: ['-1', '0', '1', '2', '10'] },
  big: { type: 'number', sql: 'bigint', values: ['9007199254740992', '9007199254740993', '-9223372036854775808', '2'] },
  total: {
    type: 'number',
    sql: 'numeric',
    values: [
      '0.1',
      '0.3',
      '1',
      '1.50',
      '-2.25',
      '100',
      'NaN',
      '12345678901234567.89',
      '12345678901234567.890000001',
      '1e300',
      '-1e-30',
    ],
  },
  score: { type: 'number', sql: 'float8', values: ['0.1', '0.30000000000000004', '1', 'NaN', 'Infinity', '-Infinity'] },
  paid: { type: 'boolean', sql: 'boolean', values: ['true', 'false'] },
  due: {
    type: 'date',
    sql: 'date',
    values: ['2026-03-28', '2026-03-29', '2026-03-30', 'infinity', '10000-01-01', '0044-03-15 BC'],
  },
  seen: {
    type: 'timestamp',
    sql: 'timestamptz',
    values: [
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:00:00.000001Z',
      '2026-03-29T02:00:00+02:00',
      '-infinity',
      '10000-01-01T00:00:00Z',
      '0001-12-31T00:00:00Z BC',
    ],
  },
  local: { type: 'timestamp', sql: 'timestamp', values: ['2026-03-29T00:30:00', '2026-03-29T02:30:00', '2026-03-29'] },
  opens: { type: 'time', sql: 'time', values: ['09:00', '09:00:00.5', '23:59:59'] },
  ref: {
    type: 'uuid',
    sql: 'uuid',
    values: ['0b1f2c3d-0000-4000-8000-00000000000a', '0b1f2c3d-0000-4000-8000-00000000000b'],
  },
  data: { type: 'json', sql: 'jsonb', values: ['{"a": 1}'] },
};
const names = Object.keys(columns);
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

const record: EntityType = {
  name: 'record',
  operations: ['insert'],
  fields: names.map((name): EntityField => ({ name, type: columnOf(name).type, nullable: true })),
  table: { schema: 'shop', table: 'Records', tenantColumn: 'tenant_id', tenantConstant: null },
};

function columnOf(name: string) {
  const column = columns[name];
  if (!column) throw new Error(`no column ${name}`);
  return column;
}

const someValue = (name: string): fc.Arbitrary<string | null> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 5, arbitrary: fc.constantFrom(...columnOf(name).values) },
  );
const someRow = fc.record(Object.fromEntries(names.map((name) => [name, someValue(name)])));

const longDecimals = ['12345678901234567.8900', '12345678901234567.88999', '1e-400', '1e400'];

/** Values a tenant may write for a column: those of its rows and some beside them. */
function operandOf(name: string): fc.Arbitrary<Json> {
  const { type, values } = columnOf(name);
  const own = values.filter((value) => !/NaN|nfinity/.test(value));
  switch (type) {
    case 'number':
      return fc.oneof(
        fc.constantFrom(...own),
        fc.constantFrom<Json>(0, 1, 1.5, 0.3, 0.1 + 0.2, 9_007_199_254_740_993n, 10n ** 30n, -5, 10n ** 300n),
        // A double is compared with the double nearest to the value.
        fc.constantFrom(...(name === 'score' ? ['0.25'] : longDecimals)).map(exactNumber),
      );
    case 'boolean':
      return fc.boolean();
    case 'text':
      return fc.constantFrom(...own, 'b', '%', '_', '\\', '10');
    default:
      return fc.constantFrom(...own);
  }
}

const comparison: fc.Arbitrary<unknown> = fc.constantFrom(...names).chain((field) => {
  const { type } = columnOf(field);
  const operand = operandOf(field);
  const equality = ['eq', 'neq'];
  const one = type === 'boolean' || type === 'uuid' ? equality : [...equality, 'gt', 'gte', 'lt', 'lte'];
  const presence = fc.record({ field: fc.constant(field), operator: fc.constantFrom('is_null', 'is_not_null') });
  if (type === 'json') return presence;
  const forms: fc.Arbitrary<unknown>[] = [
    presence,
    fc.record({ field: fc.constant(field), operator: fc.constantFrom(...one), value: operand }),
    fc.record({
      field: fc.constant(field),
      operator: fc.constantFrom('in', 'nin'),
      value: fc.array(operand, { minLength: 1, maxLength: 3 }),
    }),
  ];
  if (type === 'text') {
    forms.push(
      fc.record({
        field: fc.constant(field),
        operator: fc.constantFrom('contains', 'startswith', 'endswith'),
        value: operand,
      }),
    );
  }
  if (one.length > 2) {
    forms.push(
      fc.record({ field: fc.constant(field), operator: fc.constant('between'), value: fc.tuple(operand, operand) }),
    );
  }
  return fc.oneof(...forms);
});

const { filter: someFilter } = fc.letrec<{ filter: unknown }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.record({ all: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('filter') }),
  ),
}));

function queryOf(filter: unknown, parameters: SavedQuery['parameters'] = []): SavedQuery {
  return unwrap(validateSavedQuery({ name: 'some rows', entityType: 'record', parameters, filter }, [record]));
}

function run(query: SavedQuery, change: Partial<Parameters<typeof runSavedQuery>[1]> = {}) {
  const options = { tenantId: 'acme', query, entityType: record, parameters: {}, atMost: 10_000, timeoutMs: 5_000 };
  return runSavedQuery(db.database, { ...options, ...change });
}

const paidIs = (value: boolean): SavedFilter => ({ field: 'paid', operator: 'eq', value });

describe('runSavedQuery', () => {
  beforeAll(async () => {
    const { pool } = db.database;
    const declared = names.map((name) => `${quoted(name)} ${columnOf(name).sql}`).join(', ');
    await pool.query('create schema shop');
    await pool.query(`create table shop."Records" (tenant_id text not null, ${declared})`);
    const rows = fc.sample(someRow, { numRuns: 60, seed: 7 });
    for (const [index, row] of rows.entries()) {
      await pool.query(
        `insert into shop."Records" (tenant_id, ${names.map(quoted).join(', ')})
         values ($1, ${names.map((_, i) => `$${i + 2}`).join(', ')})`,
        [index % 3 === 0 ? 'globex' : 'acme', ...names.map((name) => row[name])],
      );
    }
  });

  test(`counts the rows of the tenant that the filter fits in memory, whatever the filter (seed ${seed})`, async () => {
    const { rows } = await db.database.pool.query<{ row: string; tenant_id: string }>(
      'select to_json(r)::text as row, tenant_id from shop."Records" as r',
    );
    const own = rows.filter((row) => row.tenant_id === 'acme').map(({ row }) => parseJson(row));
    expect(own.length).toBeLessThan(rows.length);
    let counted = 0;
    await fc.assert(
      fc.asyncProperty(someFilter, async (written) => {
        const query = validateSavedQuery({ name: 'q', entityType: 'record', filter: written }, [record]);
        // Lowest above highest: the one thing generated filters may have wrong.
        fc.pre(query.ok);
        const { filter } = unwrap(query);
        const expected = own.filter((row) => matchesFilter({ filter, entityType: record, parameters: new Map(), row }));
        expect(await run(queryOf(written))).toEqual({ ok: true, value: expected.length });
        counted += expected.length;
      }),
      { seed, numRuns: 400 },
    );
    expect(counted).toBeGreaterThan(0);
  });

  test('never counts rows of another tenant, whatever the filter says', async () => {
    const everything: SavedFilter = {
      any: [paidIs(true), { not: paidIs(true) }, { field: 'paid', operator: 'is_null' }],
    };
    const { rows } = await db.database.pool.query<{ tenant_id: string; count: number }>(
      'select tenant_id, count(*)::int from shop."Records" group by tenant_id',
    );
    for (const { tenant_id: tenantId, count } of rows) {
      expect(await run(queryOf(everything), { tenantId })).toEqual({ ok: true, value: count });
    }
    expect(await run(queryOf(everything), { tenantId: "acme' or true --" })).toEqual({ ok: true, value: 0 });
    const constant = {
      ...record,
      table: { schema: 'shop', table: 'Records', tenantColumn: null, tenantConstant: 'acme' },
    };
    expect(await run(queryOf(everything), { entityType: constant, tenantId: 'globex' })).toEqual({
      ok: true,
      value: 0,
    });
    expect(await run(queryOf(everything), { entityType: constant })).toEqual({ ok: true, value: 60 });
    const unowned = {
      ...record,
      table: { schema: 'shop', table: 'Records', tenantColumn: null, tenantConstant: null },
    };
    expect((await run(queryOf(everything), { entityType: unowned })).ok).toBe(false);
  });

  test('says for which tenant it reads, reads only, and leaves nothing of that behind', async () => {
    await db.database.pool.query(
      `create view shop.seen as
       select current_setting('tocsin.tenant_id') || ' ' || current_setting('transaction_read_only') as said, 'acme' as tenant_id`,
    );
    const view: EntityType = {
      ...record,
      fields: [{ name: 'said', type: 'text', nullable: false }],
      table: { schema: 'shop', table: 'seen', tenantColumn: 'tenant_id', tenantConstant: null },
    };
    const query = unwrap(
      validateSavedQuery(
        { name: 'q', entityType: 'record', filter: { field: 'said', operator: 'eq', value: 'acme on' } },
        [view],
      ),
    );
    expect(await run(query, { entityType: view })).toEqual({ ok: true, value: 1 });
    const { rows } = await db.database.pool.query(
      `select coalesce(current_setting('tocsin.tenant_id', true), '') as tenant, current_setting('statement_timeout') as timeout`,
    );
    expect(rows).toEqual([{ tenant: '', timeout: '0' }]);
  });

  test('stops counting where it is told to', async () => {
    expect(await run(queryOf({ any: [paidIs(true), paidIs(false)] }), { atMost: 2 })).toEqual({ ok: true, value: 2 });
  });

  test('takes parameters as the values they are', async () => {
    const query = queryOf(
      {
        all: [
          { field: 'name', operator: 'eq', parameter: 'name' },
          { field: 'units', operator: 'gt', parameter: 'above' },
        ],
      },
      [
        { name: 'name', type: 'text' },
        { name: 'above', type: 'number' },
      ],
    );
    const { rows } = await db.database.pool.query<{ count: number }>(
      `select count(*)::int from shop."Records" where tenant_id = 'acme' and name = $1 and units > 0.5`,
      ["o'clock"],
    );
    expect(await run(query, { parameters: { name: "o'clock", above: 0.5 } })).toEqual({
      ok: true,
      value: rows[0]?.count,
    });
    expect(unwrap(fitParameters(query, { name: 'a', above: '7' })).get('above')).toBe(7);
    const refused = await run(query, { parameters: { name: 'a', above: 'many' } });
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', message: /above: must be a number/ } });
  });

  test('ends a query that takes too long, and says what helps', async () => {
    await db.database.pool.query(
      `create view shop.slow as select true as paid, 'acme' as tenant_id from pg_sleep(10) where true`,
    );
    const slow: EntityType = {
      ...record,
      table: { schema: 'shop', table: 'slow', tenantColumn: 'tenant_id', tenantConstant: null },
    };
    const refused = await run(queryOf(paidIs(true)), { entityType: slow, timeoutMs: 50 });
    expect(refused).toMatchObject({ ok: false, error: { code: 'timeout', message: /took longer than 50 ms/ } });
  });

  test('refuses when the table is no longer what the query was written for', async () => {
    const query = queryOf(paidIs(true));
    const without = { ...record, fields: record.fields.filter(({ name }) => name !== 'paid') };
    expect(await run(query, { entityType: without })).toMatchObject({
      ok: false,
      error: { code: 'invalid', message: /"record" has no field "paid" any more/ },
    });
    const gone = {
      ...record,
      table: { schema: 'shop', table: 'gone', tenantColumn: 'tenant_id', tenantConstant: null },
    };
    expect(await run(query, { entityType: gone })).toMatchObject({
      ok: false,
      error: { code: 'invalid', message: /does not fit the table of "record": relation "shop.gone" does not exist/ },
    });
    const retyped = { ...record, fields: [{ name: 'name', type: 'number' as const, nullable: true }] };
    const numbers = unwrap(
      validateSavedQuery({ name: 'q', entityType: 'record', filter: { field: 'name', operator: 'gt', value: 5 } }, [
        { ...retyped, table: record.table },
      ]),
    );
    expect(await run(numbers, { entityType: retyped })).toMatchObject({ ok: false, error: { code: 'invalid' } });
  });

  test('says of no value that it is not of the type: it may be in a row of another tenant', async () => {
    await db.database.pool.query(`create view shop.codes as select 'canary'::text as opens, 'acme' as tenant_id`);
    const codes: EntityType = {
      ...record,
      fields: [{ name: 'opens', type: 'time', nullable: true }],
      table: { schema: 'shop', table: 'codes', tenantColumn: 'tenant_id', tenantConstant: null },
    };
    const query = unwrap(
      validateSavedQuery(
        { name: 'q', entityType: 'record', filter: { field: 'opens', operator: 'gt', value: '09:00' } },
        [codes],
      ),
    );
    const refused = await run(query, { entityType: codes });
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', message: /not of the type.*\(22007\)/ } });
    expect(JSON.stringify(refused)).not.toContain('canary');
  });
});
