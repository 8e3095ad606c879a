import { z } from 'zod';
import { type Issue, invalid, unknownName, unknownWord, type WorkflowError } from '../errors.ts';
import { type EntityField, type EntityTable, type EntityType, entityField } from '../model/entity-type.ts';
import { namePattern } from '../model/event.ts';
import { fieldsOfSchema } from '../model/fields-of-schema.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { type Database, inTransaction, type Orm, ormOf } from '../store/database.ts';
import { deleteEntityType, loadEntityTypes, tableColumns, upsertEntityType } from '../store/entity-types.ts';
import type { Answer, WriteOptions } from './answer.ts';

const word = z.string().regex(namePattern, 'is not a name: letters, digits, "_", "-" and "." only, a letter first');
const identifier = z.string().min(1).max(63).refine(isStorableText, unstorable);

const tableInput = z
  .strictObject({
    schema: identifier.default('public'),
    table: identifier,
    /** The column that holds the tenant's id. */
    tenantColumn: identifier.optional(),
    /** The tenant that owns every row. */
    tenant: z.string().min(1).refine(isStorableText, unstorable).optional(),
  })
  .refine(({ tenantColumn, tenant }) => (tenantColumn === undefined) !== (tenant === undefined), {
    path: ['tenantColumn'],
    message: 'say whose rows they are: give either `tenantColumn` or `tenant`',
  });

const entityTypeInput = z.strictObject({
  name: word,
  /** A list of fields, or a zod object schema they are read from. */
  fields: z.union([z.array(z.strictObject(entityField.shape)).max(1600), z.custom<z.core.$ZodType>(isSchema)], {
    error: (issue) => (Array.isArray(issue.input) ? undefined : 'is a list of fields or a zod object schema'),
  }),
  operations: z.array(word).min(1).max(50),
  /** Where its rows are, when saved queries may read them. */
  table: tableInput.optional(),
});

/** What a host may register. */
export type EntityTypeInput = z.input<typeof entityTypeInput>;

/**
 * The kinds of things that events are about, shared by all tenants: workflows are checked against their fields and
 * operations when they are saved. Installing capture on a table registers its entity type; domain events and tables without
 * capture are registered here.
 */
export class EntityTypeService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Registers an entity type in place of the one of its name. A table must exist, with the fields as columns. */
  async register(input: EntityTypeInput, options: WriteOptions = {}): Answer<EntityType> {
    const parsed = parseInput(entityTypeInput, input);
    if (!parsed.ok) return err(invalid('the entity type', parsed.error));
    const { name, operations } = parsed.value;
    const fields = isSchema(parsed.value.fields) ? fieldsOfSchema(parsed.value.fields) : parsed.value.fields;
    const issues = fields ? repeatedNames(fields) : [notAnObject];
    if (!fields || issues.length > 0) return err(invalid(`the entity type "${name}"`, issues));
    const table = parsed.value.table ? tableOf(parsed.value.table) : null;
    const entityType = { name, fields, operations: [...new Set(operations)], table };
    return inTransaction(this.#database, options.tx, async (tx) => {
      const mismatches = table ? await tableIssues(tx, fields, table) : [];
      if (mismatches.length > 0) return err(invalid(`the entity type "${name}"`, mismatches));
      await upsertEntityType(tx, entityType);
      return ok(entityType);
    });
  }

  /** One entity type; `not_found` with the nearest name there is. */
  async get(name: string): Answer<EntityType> {
    const known = await loadEntityTypes(this.#database.orm);
    const entityType = known.find((candidate) => candidate.name === name);
    return entityType ? ok(entityType) : err(notFound(name, known));
  }

  /** All entity types, by name. */
  async list(): Promise<readonly EntityType[]> {
    return loadEntityTypes(this.#database.orm);
  }

  /** Forgets an entity type. Workflows that listen to it stay and are no longer checked against its fields. */
  async remove(name: string, options: WriteOptions = {}): Answer<null> {
    const orm = ormOf(this.#database, options.tx);
    const isRemoved = namePattern.test(name) && (await deleteEntityType(orm, name));
    return isRemoved ? ok(null) : err(notFound(name, await loadEntityTypes(orm)));
  }
}

const notAnObject: Issue = { path: 'fields', message: 'is a schema, but not one of an object: use z.object({ ... })' };

function isSchema(value: unknown): value is z.core.$ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value;
}

function tableOf({ schema, table, tenantColumn, tenant }: z.output<typeof tableInput>): EntityTable {
  return { schema, table, tenantColumn: tenantColumn ?? null, tenantConstant: tenant ?? null };
}

function repeatedNames(fields: readonly EntityField[]): Issue[] {
  const names = fields.map((field) => field.name);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [{ path: `fields[${index}].name`, message: `"${name}" stands there twice` }],
  );
}

/** What saved queries would stumble over: no such table, or fields that are not columns of it. */
async function tableIssues(orm: Orm, fields: readonly EntityField[], table: EntityTable): Promise<Issue[]> {
  const columns = await tableColumns(orm, table);
  const where = `${table.schema}.${table.table}`;
  if (!columns) return [{ path: 'table.table', message: `there is no table ${where}: create it first` }];
  const named = fields.map(({ name }, index) => ({ path: `fields[${index}].name`, name }));
  if (table.tenantColumn !== null) named.push({ path: 'table.tenantColumn', name: table.tenantColumn });
  return named
    .filter(({ name }) => !columns.includes(name))
    .map(({ path, name }) => unknownWord({ path, kind: `column of ${where}`, written: name, allowed: columns }));
}

function notFound(name: string, entityTypes: readonly EntityType[]): WorkflowError {
  const known = entityTypes.map((entityType) => entityType.name);
  const subject = `there is no entity type "${name}"`;
  return unknownName({ subject, written: name, known, next: 'register it, or install capture on its table' });
}
