import { describe, expect, test } from 'vitest';
import type { EntityType } from '../../src/model/entity-type.ts';
import { fitParameters, type SavedQueryInput, validateSavedQuery } from '../../src/model/saved-query.ts';

const order: EntityType = {
  name: 'order',
  operations: ['insert'],
  table: { schema: 'public', table: 'orders', tenantColumn: 'tenant_id', tenantConstant: null },
  fields: (
    [
      ['customer_id', 'text'],
      ['total', 'number'],
      ['paid', 'boolean'],
      ['due', 'date'],
      ['at', 'time'],
      ['ref', 'uuid'],
      ['data', 'json'],
    ] as const
  ).map(([name, type]) => ({ name, type, nullable: true })),
};
const report: EntityType = { ...order, name: 'report', table: null };

function validate(change: Record<string, unknown>) {
  return validateSavedQuery(
    { name: 'open orders', entityType: 'order', filter: { field: 'paid', operator: 'eq', value: false }, ...change },
    [order, report],
  );
}

function refusals(change: Record<string, unknown>): string[] {
  const result = validate(change);
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
}

describe('validateSavedQuery', () => {
  test('takes a filter over fields, values and parameters, and gives values as columns hold them', () => {
    const input: SavedQueryInput = {
      name: 'open orders of the customer',
      entityType: 'order',
      parameters: [{ name: 'customer', type: 'text' }],
      filter: {
        all: [
          { field: 'customer_id', operator: 'eq', parameter: 'customer' },
          { any: [{ field: 'total', operator: 'gt', value: '100' }, { not: { field: 'due', operator: 'is_null' } }] },
          { field: 'ref', operator: 'in', value: ['0B1F2C3D-0000-4000-8000-00000000000A'] },
          { field: 'at', operator: 'between', value: ['09:00', '17:30'] },
        ],
      },
    };
    const result = validateSavedQuery(input, [order]);
    expect(result).toEqual({
      ok: true,
      value: {
        ...input,
        filter: {
          all: [
            { field: 'customer_id', operator: 'eq', parameter: 'customer' },
            { any: [{ field: 'total', operator: 'gt', value: 100 }, { not: { field: 'due', operator: 'is_null' } }] },
            { field: 'ref', operator: 'in', value: ['0b1f2c3d-0000-4000-8000-00000000000a'] },
            { field: 'at', operator: 'between', value: ['09:00:00', '17:30:00'] },
          ],
        },
      },
    });
  });

  test('says of every part what is wrong with it and what was probably meant', () => {
    const filter = (written: unknown) => refusals({ filter: written, parameters: [{ name: 'limit', type: 'number' }] });
    expect(refusals({ entityType: 'oder' })).toEqual(['entityType: unknown entity type "oder": did you mean "order"?']);
    expect(refusals({ entityType: 'report' })).toEqual([
      'entityType: entity type "report" has no table that could be asked',
    ]);
    expect(refusals({ nam: 'x' })[0]).toBe('nam: unknown field "nam": did you mean "name"?');
    expect(filter({ field: 'totl', operator: 'gt', value: 5 })).toEqual([
      'filter.field: unknown field of "order" "totl": did you mean "total"?',
    ]);
    expect(filter({ all: [{ any: [{ field: 'total', operator: 'gtt', value: 5 }] }] })[0]).toMatch(
      /^filter\.all\[0\]\.any\[0\]\.operator: unknown value "gtt": did you mean "gt"\?/,
    );
    expect(filter({ field: 'total', operator: 'contains', value: '5' })[0]).toMatch(
      /cannot be asked of a field of type number/,
    );
    expect(filter({ field: 'data', operator: 'eq', value: '5' })[0]).toMatch(/type json/);
    expect(filter({ field: 'total', operator: 'gt', value: 'many' })).toEqual([
      'filter.value: must be a number, as the field is of type number',
    ]);
    expect(filter({ field: 'total', operator: 'in', value: [1, 'x'] })[0]).toMatch(
      /^filter\.value\[1\]: must be a number/,
    );
    expect(filter({ field: 'total', operator: 'between', value: [5, 1] })[0]).toMatch(/takes \[lowest, highest\]/);
    expect(filter({ field: 'total', operator: 'between', value: 5 })[0]).toMatch(/takes a list/);
    expect(filter({ field: 'total', operator: 'gt' })[0]).toMatch(/needs a value or a parameter/);
    expect(filter({ field: 'total', operator: 'gt', value: null })).toHaveLength(1);
    expect(filter({ field: 'total', operator: 'is_null', value: 1 })[0]).toMatch(/takes no value/);
    expect(filter({ field: 'total', operator: 'gt', value: 1, parameter: 'limit' })[0]).toMatch(/write one of them/);
    expect(filter({ field: 'total', operator: 'gt', parameter: 'limt' })[0]).toMatch(/did you mean "limit"/);
    expect(filter({ field: 'customer_id', operator: 'eq', parameter: 'limit' })[0]).toMatch(
      /parameter "limit" is of type number, field "customer_id" of type text/,
    );
    expect(filter({ field: 'total', operator: 'in', parameter: 'limit' })[0]).toMatch(/takes a list as its value/);
    expect(filter({ all: [] })[0]).toMatch(/"all" must be a list of filters/);
    expect(filter({ all: [{ field: 'paid', operator: 'eq', value: true }], field: 'x' })[0]).toMatch(
      /nothing beside it/,
    );
    expect(filter('paid')[0]).toMatch(/must be \{ "field", "operator", "value" \}/);
    expect(refusals({ filter: undefined })[0]).toMatch(/^filter: must be/);
    expect(
      refusals({
        parameters: [
          { name: 'a', type: 'text' },
          { name: 'a', type: 'text' },
        ],
      })[0],
    ).toMatch(/already/);
    expect(refusals({ parameters: [{ name: 'a b', type: 'text' }] })[0]).toMatch(/letters, digits/);
  });

  test('refuses filters without measure', () => {
    let nested: unknown = { field: 'paid', operator: 'eq', value: true };
    for (let depth = 0; depth < 10; depth++) nested = { not: nested };
    expect(refusals({ filter: nested })[0]).toMatch(/nested deeper than 10 levels/);
    const many = Array.from({ length: 101 }, () => ({ field: 'paid', operator: 'eq', value: true }));
    expect(refusals({ filter: { any: many } })[0]).toMatch(/more than 100 comparisons/);
  });

  test('refuses text that PostgreSQL cannot hold', () => {
    expect(refusals({ name: 'a\u0000' })[0]).toMatch(/cannot store/);
    expect(refusals({ filter: { field: 'customer_id', operator: 'eq', value: 'a\u0000' } })).toHaveLength(1);
    expect(refusals({ filter: { field: 'customer_id', operator: 'eq', value: '\uD800' } })).toHaveLength(1);
  });
});

describe('fitParameters', () => {
  const query = {
    name: 'q',
    entityType: 'order',
    parameters: [
      { name: 'customer', type: 'text' as const },
      { name: 'above', type: 'number' as const },
    ],
    filter: { all: [] },
  };

  test('gives every parameter its value', () => {
    expect(fitParameters(query, { customer: 'c-1', above: '12.5' })).toEqual({
      ok: true,
      value: new Map<string, unknown>([
        ['customer', 'c-1'],
        ['above', 12.5],
      ]),
    });
  });

  test('refuses what is missing, null, unknown or of another type', () => {
    expect(fitParameters(query, { customr: 'x', above: 'many' })).toEqual({
      ok: false,
      error: [
        expect.objectContaining({ path: 'customr', didYouMean: 'customer' }),
        { path: 'customer', message: 'is missing' },
        { path: 'above', message: 'must be a number' },
      ],
    });
    expect(fitParameters(query, { customer: null, above: 1 }).ok).toBe(false);
    expect(fitParameters(query, { customer: true, above: 1 }).ok).toBe(false);
  });

  test('takes a number for a text: keys are often numbers in one place and texts in another', () => {
    const fitted = fitParameters(query, { customer: 9007199254740993n, above: 1 });
    expect(fitted.ok && fitted.value.get('customer')).toBe('9007199254740993');
  });
});
