import type { EntityField, FieldType } from '../model/entity-type.ts';
import type { CatalogColumn } from '../store/capture-catalog.ts';

const typeOfBase: Readonly<Record<string, FieldType>> = {
  int2: 'number',
  int4: 'number',
  int8: 'number',
  numeric: 'number',
  float4: 'number',
  float8: 'number',
  bool: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  time: 'time',
  timetz: 'time',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
};

/** What is left when the type itself is not known: `pg_type.typcategory`. */
const typeOfCategory: Readonly<Record<string, FieldType>> = { A: 'array', C: 'json', E: 'text', S: 'text' };

/** The fields workflows may read of a table's rows, from its columns. */
export function entityFields(columns: readonly CatalogColumn[]): EntityField[] {
  return columns.map(({ name, baseType, category, isNullable }) => ({
    name,
    type: typeOfBase[baseType] ?? typeOfCategory[category] ?? 'other',
    nullable: isNullable,
  }));
}
