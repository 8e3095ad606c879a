import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { FieldType } from '../../src/model/entity-type.ts';
import { fieldsOfSchema } from '../../src/model/fields-of-schema.ts';

const typeOf = (schema: z.ZodType) => fieldsOfSchema(z.object({ field: schema }))?.[0];

describe('fieldsOfSchema', () => {
  test.each<[string, z.ZodType, FieldType]>([
    ['a string', z.string(), 'text'],
    ['an enum', z.enum(['a', 'b']), 'text'],
    ['a mail address', z.email(), 'text'],
    ['a UUID', z.uuid(), 'uuid'],
    ['an ISO date', z.iso.date(), 'date'],
    ['an ISO timestamp', z.iso.datetime(), 'timestamp'],
    ['an ISO time', z.iso.time(), 'time'],
    ['a Date', z.date(), 'timestamp'],
    ['a number', z.number(), 'number'],
    ['an integer', z.int().min(1), 'number'],
    ['a bigint', z.bigint(), 'number'],
    ['a literal', z.literal(5), 'number'],
    ['a boolean', z.boolean(), 'boolean'],
    ['an object', z.object({ a: z.string() }), 'json'],
    ['a record', z.record(z.string(), z.number()), 'json'],
    [
      'objects told apart',
      z.discriminatedUnion('k', [z.object({ k: z.literal(1) }), z.object({ k: z.literal(2) })]),
      'json',
    ],
    ['an array', z.array(z.string()), 'array'],
    ['a tuple', z.tuple([z.string()]), 'array'],
    ['texts of two kinds', z.union([z.literal('a'), z.string()]), 'text'],
    ['a union of kinds', z.union([z.string(), z.number()]), 'other'],
    ['anything', z.unknown(), 'other'],
    ['a transformed string', z.string().transform(Number), 'other'],
  ])('reads the type of %s', (_what, schema, type) => {
    expect(typeOf(schema)?.type).toBe(type);
  });

  test('tells what may be null or missing', () => {
    const fields = fieldsOfSchema(
      z.object({
        always: z.string(),
        orNull: z.number().nullable(),
        orMissing: z.date().optional(),
        either: z.boolean().nullish(),
        defaulted: z.string().default(''),
      }),
    );
    expect(fields?.map(({ name, type, nullable }) => [name, type, nullable])).toEqual([
      ['always', 'text', false],
      ['orNull', 'number', true],
      ['orMissing', 'timestamp', true],
      ['either', 'boolean', true],
      ['defaulted', 'text', false],
    ]);
  });

  test('reads a schema that contains itself', () => {
    type Category = { name: string; parent?: Category | undefined };
    const category: z.ZodType<Category> = z.object({ name: z.string(), parent: z.lazy(() => category).optional() });
    expect(fieldsOfSchema(category)?.map(({ name, type }) => [name, type])).toEqual([
      ['name', 'text'],
      ['parent', 'json'],
    ]);
  });

  test('answers null for what is not an object with fields', () => {
    expect(fieldsOfSchema(z.string())).toBeNull();
    expect(fieldsOfSchema(z.record(z.string(), z.string()))).toBeNull();
  });
});
