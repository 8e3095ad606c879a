import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowError } from '../../src/errors.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import type { SavedQueryInput } from '../../src/model/saved-query.ts';
import { EntityTypeService } from '../../src/service/entity-type-service.ts';
import { SavedQueryService } from '../../src/service/saved-query-service.ts';
import { readDefinitionsVersion } from '../../src/store/load-definitions.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const service = () => new SavedQueryService({ database: db.database });

beforeAll(async () => {
  await db.database.pool.query('create table orders (id bigint, tenant_id text, customer_id text, total numeric)');
  const registered = await new EntityTypeService({ database: db.database }).register({
    name: 'order',
    operations: ['insert'],
    fields: [
      { name: 'id', type: 'number' },
      { name: 'customer_id', type: 'text' },
      { name: 'total', type: 'number' },
    ],
    table: { table: 'orders', tenantColumn: 'tenant_id' },
  });
  unwrap(registered);
});

function sampleQuery(change: Partial<SavedQueryInput> = {}): SavedQueryInput {
  return {
    name: 'orders of the customer',
    entityType: 'order',
    parameters: [{ name: 'customer', type: 'text' }],
    filter: { field: 'customer_id', operator: 'eq', parameter: 'customer' },
    ...change,
  };
}

function errorOf(result: Result<unknown, WorkflowError>): WorkflowError {
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}

const version = () => readDefinitionsVersion(db.database.pool);
const changedAt = async (tenantId: string, name: string) => {
  const { rows } = await db.database.pool.query(
    'select changed_at_version::int as version from tocsin.saved_queries where tenant_id = $1 and name = $2',
    [tenantId, name],
  );
  return rows[0]?.version;
};

describe('createSavedQuery', () => {
  test('keeps the query, at a version of its own', async () => {
    const before = await version();
    const created = unwrap(await service().createSavedQuery('create', sampleQuery()));
    expect(created).toMatchObject({ name: 'orders of the customer', tenantId: 'create', entityType: 'order' });
    expect(unwrap(await service().getSavedQuery('create', created.name))).toEqual(created);
    expect(await version()).toBe(before + 1);
    expect(await changedAt('create', created.name)).toBe(before + 1);
  });

  test('answers conflict for a name the tenant has, and not for one that another tenant has', async () => {
    unwrap(await service().createSavedQuery('twice', sampleQuery()));
    unwrap(await service().createSavedQuery('once', sampleQuery()));
    const error = errorOf(await service().createSavedQuery('twice', sampleQuery()));
    expect(error.code).toBe('conflict');
    expect(error.message).toContain('"orders of the customer"');
  });

  test('belongs to the transaction it is given', async () => {
    const given = db.database.transaction(async (tx) => {
      unwrap(await service().createSavedQuery('tx', sampleQuery(), { tx }));
      throw new Error('the host rolls back');
    });
    await expect(given).rejects.toThrow('the host rolls back');
    expect(unwrap(await service().listSavedQueries('tx')).items).toEqual([]);
  });
});

describe('updateSavedQuery', () => {
  test('replaces the query and renames it', async () => {
    const created = unwrap(await service().createSavedQuery('update', sampleQuery()));
    const before = await version();
    const renamed = sampleQuery({
      name: 'big orders',
      parameters: [],
      filter: { field: 'total', operator: 'gt', value: 500 },
    });
    const updated = unwrap(await service().updateSavedQuery('update', created.name, renamed));
    expect(updated).toMatchObject({ id: created.id, name: 'big orders', parameters: [] });
    expect(unwrap(await service().getSavedQuery('update', 'big orders'))).toEqual(updated);
    expect(errorOf(await service().getSavedQuery('update', created.name)).code).toBe('not_found');
    expect(await changedAt('update', 'big orders')).toBe(before + 1);
  });

  test('answers conflict for the name of another query, which stays', async () => {
    for (const name of ['a', 'b']) unwrap(await service().createSavedQuery('clash', sampleQuery({ name })));
    expect(errorOf(await service().updateSavedQuery('clash', 'a', sampleQuery({ name: 'b' }))).code).toBe('conflict');
    unwrap(await service().updateSavedQuery('clash', 'a', sampleQuery({ name: 'a' })));
    expect(unwrap(await service().listSavedQueries('clash')).items.map((query) => query.name)).toEqual(['a', 'b']);
  });

  test("does not reach another tenant's query", async () => {
    unwrap(await service().createSavedQuery('owner', sampleQuery()));
    const error = errorOf(await service().updateSavedQuery('stranger', 'orders of the customer', sampleQuery()));
    expect(error.code).toBe('not_found');
  });
});

describe('getSavedQuery and listSavedQueries', () => {
  test('answer not_found with the nearest name of the tenant', async () => {
    unwrap(await service().createSavedQuery('near', sampleQuery({ name: 'big orders' })));
    unwrap(await service().createSavedQuery('far', sampleQuery({ name: 'bigorders' })));
    expect(errorOf(await service().getSavedQuery('near', 'big order')).message).toBe(
      'there is no saved query "big order": did you mean "big orders"?',
    );
    expect(errorOf(await service().getSavedQuery('near', 'nul \u0000')).code).toBe('not_found');
  });

  test('page by name', async () => {
    for (const name of ['c', 'a', 'b']) unwrap(await service().createSavedQuery('pages', sampleQuery({ name })));
    const first = unwrap(await service().listSavedQueries('pages', { limit: 2 }));
    const second = unwrap(await service().listSavedQueries('pages', { limit: 2, cursor: first.nextCursor ?? '' }));
    expect([first, second].map((page) => page.items.map((query) => query.name))).toEqual([['a', 'b'], ['c']]);
    expect(second.nextCursor).toBeNull();
  });
});

describe('deleteSavedQuery', () => {
  test('deletes the query, at a version of its own, and frees the name', async () => {
    unwrap(await service().createSavedQuery('delete', sampleQuery()));
    const before = await version();
    unwrap(await service().deleteSavedQuery('delete', 'orders of the customer'));
    expect(await version()).toBe(before + 1);
    expect(errorOf(await service().deleteSavedQuery('delete', 'orders of the customer')).code).toBe('not_found');
    expect(await version()).toBe(before + 1);
    unwrap(await service().createSavedQuery('delete', sampleQuery()));
  });

  test("leaves another tenant's query", async () => {
    unwrap(await service().createSavedQuery('keeps', sampleQuery()));
    expect(errorOf(await service().deleteSavedQuery('thief', 'orders of the customer')).code).toBe('not_found');
    unwrap(await service().getSavedQuery('keeps', 'orders of the customer'));
  });
});
