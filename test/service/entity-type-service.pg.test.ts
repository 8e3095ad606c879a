import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { WorkflowError } from '../../src/errors.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import { type EntityTypeInput, EntityTypeService } from '../../src/service/entity-type-service.ts';
import { loadEntityTypes } from '../../src/store/entity-types.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const service = () => new EntityTypeService({ database: db.database });

beforeAll(async () => {
  await db.database.pool.query(
    'create table invoices (id bigint primary key, tenant_id text, total numeric, gone int)',
  );
  await db.database.pool.query('alter table invoices drop column gone');
});

function errorOf(result: Result<unknown, WorkflowError>): WorkflowError {
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}

const issueOf = async (input: object) => errorOf(await service().register(input as EntityTypeInput)).issues[0];

describe('register', () => {
  test('keeps fields, operations and the table, in place of what was', async () => {
    const first = unwrap(
      await service().register({
        name: 'invoice',
        operations: ['insert'],
        fields: [{ name: 'total', type: 'number' }],
      }),
    );
    expect(first).toEqual({
      name: 'invoice',
      operations: ['insert'],
      fields: [{ name: 'total', type: 'number', nullable: true }],
      table: null,
    });
    const second = unwrap(
      await service().register({
        name: 'invoice',
        operations: ['insert', 'refunded', 'insert'],
        fields: [{ name: 'total', type: 'number', nullable: false }],
        table: { table: 'invoices', tenantColumn: 'tenant_id' },
      }),
    );
    expect(second).toMatchObject({
      operations: ['insert', 'refunded'],
      table: { schema: 'public', table: 'invoices', tenantColumn: 'tenant_id', tenantConstant: null },
    });
    expect(unwrap(await service().get('invoice'))).toEqual(second);
  });

  test('reads the fields from a zod schema', async () => {
    const schema = z.object({ userId: z.uuid(), username: z.string(), verifiedAt: z.date().nullable() });
    const registered = unwrap(await service().register({ name: 'user', operations: ['created'], fields: schema }));
    expect(registered.fields).toEqual([
      { name: 'userId', type: 'uuid', nullable: false },
      { name: 'username', type: 'text', nullable: false },
      { name: 'verifiedAt', type: 'timestamp', nullable: true },
    ]);
  });

  test('belongs to the transaction it is given', async () => {
    const given = db.database.transaction(async (tx) => {
      await tx.execute('create table shipments (id int, account text)');
      const table = { table: 'shipments', tenantColumn: 'account' };
      unwrap(await service().register({ name: 'shipment', operations: ['insert'], fields: [], table }, { tx }));
      throw new Error('the host rolls back');
    });
    await expect(given).rejects.toThrow('the host rolls back');
    expect(errorOf(await service().get('shipment')).code).toBe('not_found');
  });

  const base = { name: 'invoice', operations: ['insert'], fields: [{ name: 'total', type: 'number' }] };

  test.each<[string, object, object]>([
    ['an unknown key', { ...base, operation: ['insert'] }, { path: 'operation', didYouMean: 'operations' }],
    ['a name that is none', { ...base, name: 'in voice' }, { path: 'name' }],
    ['no operations', { ...base, operations: [] }, { path: 'operations' }],
    [
      'an unknown type',
      { ...base, fields: [{ name: 'total', type: 'numbr' }] },
      { path: 'fields[0].type', didYouMean: 'number' },
    ],
    [
      'an unknown key of a field',
      { ...base, fields: [{ name: 'a', type: 'text', null: true }] },
      { path: 'fields[0].null' },
    ],
    ['a field that stands twice', { ...base, fields: [...base.fields, ...base.fields] }, { path: 'fields[1].name' }],
    [
      'fields that are neither',
      { ...base, fields: { total: 'number' } },
      { path: 'fields', message: 'is a list of fields or a zod object schema' },
    ],
    [
      'a schema that is not of an object',
      { ...base, fields: z.string() },
      { message: expect.stringContaining('z.object') },
    ],
    ['a table without a tenant', { ...base, table: { table: 'invoices' } }, { path: 'table.tenantColumn' }],
    [
      'a table with two tenants',
      { ...base, table: { table: 'invoices', tenantColumn: 'tenant_id', tenant: 'acme' } },
      { path: 'table.tenantColumn' },
    ],
    ['a table that is not there', { ...base, table: { table: 'invoice', tenant: 'acme' } }, { path: 'table.table' }],
    [
      'a tenant column that is not there',
      { ...base, table: { table: 'invoices', tenantColumn: 'tenantid' } },
      { path: 'table.tenantColumn', didYouMean: 'tenant_id', allowed: ['id', 'tenant_id', 'total'] },
    ],
    [
      'a field that is no column of the table',
      { ...base, fields: [{ name: 'totals', type: 'number' }], table: { table: 'invoices', tenant: 'acme' } },
      { path: 'fields[0].name', message: 'unknown column of public.invoices "totals": did you mean "total"?' },
    ],
  ])('refuses %s', async (_what, input, issue) => {
    expect(await issueOf(input)).toMatchObject(issue);
  });
});

describe('get and remove', () => {
  test('answer not_found with what was probably meant', async () => {
    unwrap(await service().register({ name: 'parcel', operations: ['insert'], fields: [] }));
    expect(errorOf(await service().get('parcle')).message).toBe(
      'there is no entity type "parcle": did you mean "parcel"?',
    );
    expect(errorOf(await service().remove('parcle')).code).toBe('not_found');
    unwrap(await service().remove('parcel'));
    expect(errorOf(await service().remove('parcel')).code).toBe('not_found');
  });
});

describe('loadEntityTypes', () => {
  test('answers those of the names that are registered, or all, by name', async () => {
    for (const name of ['zebra', 'ant']) unwrap(await service().register({ name, operations: ['born'], fields: [] }));
    const { orm } = db.database;
    expect((await loadEntityTypes(orm, ['zebra', 'ant', 'unicorn'])).map(({ name }) => name)).toEqual(['ant', 'zebra']);
    expect(await loadEntityTypes(orm, [])).toEqual([]);
    expect((await service().list()).map(({ name }) => name)).toEqual(expect.arrayContaining(['ant', 'zebra']));
  });
});
