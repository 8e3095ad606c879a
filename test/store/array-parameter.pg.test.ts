import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ArrayParameter,
  bigintArray,
  boolArray,
  intArray,
  textArray,
  uuidArray,
} from '../../src/store/array-parameter.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

/** What the server makes of the parameter, element by element, as text. */
async function received(parameter: ArrayParameter, type: string): Promise<(string | null)[]> {
  const { rows } = await db.database.pool.query<{ value: string | null }>(
    `select value::text from unnest($1::${type}[]) with ordinality as row (value, at) order by at`,
    [parameter],
  );
  return rows.map(({ value }) => value);
}

/** Text that PostgreSQL can hold: a lone surrogate arrives as U+FFFD, as with any other parameter. */
const storable = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
const texts = fc.array(fc.option(storable));

describe('textArray', () => {
  test('arrives as it was given: quotes, backslashes, braces, any language, nulls, none at all', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (values) => {
        expect(await received(textArray(values), 'text')).toEqual(values.map((value) => value?.toWellFormed() ?? null));
      }),
      { examples: [[[]], [['', null, 'null', '{}', '"\\"', ' a,b ', 'Grüße 👋']]] },
    );
  });
});

describe('uuidArray', () => {
  test('arrives as it was given, whatever the case of its digits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uuid()), fc.boolean(), async (ids, isUpper) => {
        const given = ids.map((id) => (isUpper ? id.toUpperCase() : id));
        expect(await received(uuidArray(given), 'uuid')).toEqual(ids);
      }),
    );
  });

  test.each([
    '',
    'no uuid',
    '01990000-0000-7000-8000-00000000000',
    '0199000g-0000-7000-8000-000000000001',
    'ü'.repeat(36),
  ])('leaves "%s" to the server to refuse', async (id) => {
    const good = '01990000-0000-7000-8000-000000000001';
    await expect(received(uuidArray([good, id]), 'uuid')).rejects.toThrow('invalid input syntax for type uuid');
  });
});

describe('intArray, bigintArray, boolArray', () => {
  test('arrive as they were given', async () => {
    const ints = fc.array(fc.integer());
    const bigints = fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    await fc.assert(
      fc.asyncProperty(ints, bigints, fc.array(fc.boolean()), async (some, big, truths) => {
        expect(await received(intArray(some), 'int')).toEqual(some.map(String));
        expect(await received(bigintArray(big.map(String)), 'bigint')).toEqual(big.map(String));
        expect(await received(boolArray(truths), 'bool')).toEqual(truths.map(String));
      }),
    );
  });

  test('leave what does not fit to the server to refuse', async () => {
    await expect(received(intArray([2 ** 31]), 'int')).rejects.toThrow('out of range');
    await expect(received(bigintArray(['9223372036854775808']), 'bigint')).rejects.toThrow('out of range');
    await expect(received(bigintArray(['twelve']), 'bigint')).rejects.toThrow('invalid input syntax');
  });
});
