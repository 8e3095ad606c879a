import { z } from 'zod';

/** What a field holds, as far as validation needs to know. `json` may have paths below it. */
export const fieldTypes = [
  'text',
  'number',
  'boolean',
  'date',
  'timestamp',
  'time',
  'uuid',
  'json',
  'array',
  'other',
] as const;
export type FieldType = (typeof fieldTypes)[number];

export const entityField = z.object({
  name: z.string().min(1),
  type: z.enum(fieldTypes),
  nullable: z.boolean().default(true),
});
export type EntityField = z.infer<typeof entityField>;

/** A kind of thing events are about: its fields, and its table if saved queries may read it. */
export type EntityType = {
  readonly name: string;
  readonly fields: readonly EntityField[];
  /** Operations its events have; workflows may listen to no others. */
  readonly operations: readonly string[];
  readonly table: EntityTable | null;
};

/** Where an entity type's rows are, and how a row names its tenant. */
export type EntityTable = {
  readonly schema: string;
  readonly table: string;
  readonly tenantColumn: string | null;
  readonly tenantConstant: string | null;
};
