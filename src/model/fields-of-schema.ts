import { z } from 'zod';
import type { EntityField, FieldType } from './entity-type.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The fields that an object schema declares, as events and conditions see them: names, types, and whether they may be
 * missing or null. Null when the schema is not one of an object.
 */
export function fieldsOfSchema(schema: z.core.$ZodType): EntityField[] | null {
  const described = z.toJSONSchema(schema, { unrepresentable: 'any', override: describeMoments });
  if (described.type !== 'object' || !described.properties) return null;
  const required = new Set(described.required);
  return Object.entries(described.properties).map(([name, property]) => {
    const alternatives = alternativesOf(property);
    const isNullable = alternatives.some((alternative) => alternative.type === 'null');
    const types = new Set(alternatives.filter(({ type }) => type !== 'null').map(fieldType));
    const [type] = types;
    return {
      name,
      type: types.size === 1 && type ? type : 'other',
      nullable: isNullable || !required.has(name),
    };
  });
}

/**
 * JSON has neither dates nor large integers: an event's payload holds them as text and as numbers. A time of day is a text
 * whose format zod leaves out, because JSON Schema's needs an offset.
 */
function describeMoments(context: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  const { def } = context.zodSchema._zod;
  if (def.type === 'date') Object.assign(context.jsonSchema, { type: 'string', format: 'date-time' });
  if (def.type === 'bigint') context.jsonSchema.type = 'integer';
  if (def.type === 'string' && 'format' in def && def.format === 'time') context.jsonSchema.format = 'time';
}

/** The schemas one of which a value fits: the members of `anyOf` and `oneOf`, the types of a list of types. */
function alternativesOf(schema: boolean | JsonSchema): JsonSchema[] {
  if (typeof schema === 'boolean') return [{}];
  const members = schema.anyOf ?? schema.oneOf;
  if (members) return members.flatMap(alternativesOf);
  if (Array.isArray(schema.type)) return schema.type.map((type) => ({ ...schema, type }));
  return [schema];
}

const textFormats: Readonly<Record<string, FieldType>> = {
  uuid: 'uuid',
  date: 'date',
  'date-time': 'timestamp',
  time: 'time',
};

function fieldType(schema: JsonSchema): FieldType {
  // A reference is made where a schema contains itself, and only objects and arrays can.
  if (schema.$ref !== undefined) return 'json';
  switch (schema.type) {
    case 'string':
      return textFormats[schema.format ?? ''] ?? 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'object':
      return 'json';
    case 'array':
      return 'array';
    default:
      return 'other';
  }
}
