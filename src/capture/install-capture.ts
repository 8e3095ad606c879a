import { nearest, WorkflowError } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import { err, ok, type Result } from '../model/result.ts';
import { type CatalogTable, readTable, readTableNames } from '../store/capture-catalog.ts';
import { captureFunctionBody } from '../store/capture-function.ts';
import {
  type CapturedTable,
  type CaptureInfo,
  listCaptures,
  saveCapture,
  type TableName,
  writeTableName,
} from '../store/capture-registry.ts';
import {
  captureFunctionName,
  captureFunctionNames,
  dropCaptureFunction,
  dropCaptureTrigger,
  readCaptureFunctions,
  readCaptureTriggers,
  writeCaptureFunction,
  writeCaptureTrigger,
} from '../store/capture-triggers.ts';
import type { Runner } from '../store/connection.ts';
import type { Database, Orm } from '../store/database.ts';
import { loadEntityTypes, upsertEntityType } from '../store/entity-types.ts';
import { type CaptureOptions, planCapture } from './capture-options.ts';
import { changeCaptures } from './change-captures.ts';
import { dropCapture, releaseEntityType } from './drop-capture.ts';
import { entityFields } from './entity-fields.ts';
import { parseTableName, type WrittenTableName } from './table-name.ts';

/**
 * Puts triggers on a host table, so that each committed change of a row is an event, and registers its entity type. Installing
 * again brings everything up to date, touching only what differs; on a table that is as it should be it takes no lock.
 *
 * Captured are rows written by any statement (also COPY, MERGE, foreign-key cascades, and writes to a partition), except an
 * update that changes nothing. Not captured are TRUNCATE, what is written while `session_replication_role` is `replica`
 * (logical replication, some restores), and rows that MERGE moves to another partition: PostgreSQL shows them to statement
 * triggers as deleted and inserted, if the MERGE also says DELETE and INSERT, or else not at all. A row above 16 MiB is captured
 * as its key.
 *
 * Settings of the writer's session: `tocsin.actor`, `tocsin.trace_context` and `tocsin.causation` are stored with the event; with `tocsin.notify` off
 * no NOTIFY is sent (for writers that use PREPARE TRANSACTION), and events wait for the next poll.
 *
 * The triggers run with the rights of `tocsin_capture`: writers need none on schema `tocsin`, and gain none. It all happens in one
 * transaction that waits a second for locks: on a busy table it fails with `unavailable` and has changed nothing.
 */
export async function installCapture(
  database: Database,
  options: CaptureOptions,
): Promise<Result<CaptureInfo, WorkflowError>> {
  const name = parseTableName(options.table);
  if (!name.ok) return name;
  return changeCaptures(database, options.table, async (orm, client) => {
    const table = await readTable(client, name.value);
    if (!table) return err(await noSuchTable(client, name.value));
    const planned = planCapture(options, table);
    if (!planned.ok) return planned;
    const capture = planned.value;
    const [entityType] = await loadEntityTypes(orm, [capture.entityType]);
    const captures = await listCaptures(orm);
    const replaced = [
      ...captures.filter((other) => isSameTable(other, capture)),
      ...(await dropRivals(orm, client, table, captures)),
    ];
    const rival = captures.find((other) => other.entityType === capture.entityType && !replaced.includes(other));
    if (rival) return err(taken(capture.entityType, rival.table));
    await writeTriggers(client, table, capture);
    for (const other of replaced) if (other.entityType !== capture.entityType) await releaseEntityType(orm, other);
    await upsertEntityType(orm, describeEntityType(table, capture, { entityType, replaced }));
    return ok(await saveCapture(orm, capture));
  });
}

/**
 * Drops captures under another name that have triggers on the table or its partitions: a table that was renamed, or one that
 * became a partition, would be captured twice.
 */
async function dropRivals(
  orm: Orm,
  client: Runner,
  table: CatalogTable,
  captures: readonly CaptureInfo[],
): Promise<CaptureInfo[]> {
  const others = captures.filter((other) => !isSameTable(other, table));
  const triggers = await readCaptureTriggers(client, others.flatMap(captureFunctionNames));
  const relations = new Set(table.members.map(({ oid }) => oid));
  const here = new Set(
    triggers.filter(({ relation }) => relations.has(relation)).map(({ functionName }) => functionName),
  );
  const rivals = others.filter((other) => captureFunctionNames(other).some((name) => here.has(name)));
  for (const rival of rivals) await dropCapture(orm, client, rival);
  return rivals;
}

/** Makes functions and triggers what the capture asks for; leaves alone what is right already. */
async function writeTriggers(client: Runner, table: CatalogTable, capture: CapturedTable): Promise<void> {
  const names = captureFunctionNames(capture);
  const functions = await readCaptureFunctions(client, names);
  const triggers = await readCaptureTriggers(client, names);
  for (const operation of capture.operations) {
    const name = captureFunctionName(capture, operation);
    const body = captureFunctionBody(capture, operation);
    const isWritten = functions.some((one) => one.name === name && one.body === body && one.isSafe);
    if (!isWritten) await writeCaptureFunction(client, capture, operation);
    for (const member of table.members) {
      const isThere = triggers.some(
        (one) => one.relation === member.oid && one.functionName === name && one.isAsMade && one.isEnabled,
      );
      if (!isThere) await writeCaptureTrigger(client, member, { table: capture, operation });
    }
  }
  const wanted = new Set(capture.operations.map((operation) => captureFunctionName(capture, operation)));
  const relations = new Set(table.members.map(({ oid }) => oid));
  for (const trigger of triggers) {
    const isWanted = wanted.has(trigger.functionName) && relations.has(trigger.relation) && trigger.isAsMade;
    if (!isWanted) await dropCaptureTrigger(client, trigger);
  }
  for (const name of names) if (!wanted.has(name)) await dropCaptureFunction(client, name);
}

/** The entity type with the table's columns as fields; what the host said of it beyond the table stays. */
function describeEntityType(
  table: CatalogTable,
  capture: CapturedTable,
  before: { entityType: EntityType | undefined; replaced: readonly CaptureInfo[] },
): EntityType {
  const captured = new Set(capture.columns.map(({ name }) => name));
  const ofTable = new Set(
    [...table.columns, ...before.replaced.flatMap(({ columns }) => columns)].map(({ name }) => name),
  );
  const ofHost = before.entityType?.fields.filter(({ name }) => !ofTable.has(name)) ?? [];
  const wereCaptured: ReadonlySet<string> = new Set(before.replaced.flatMap(({ operations }) => operations));
  const others = before.entityType?.operations.filter((operation) => !wereCaptured.has(operation)) ?? [];
  return {
    name: capture.entityType,
    fields: [...entityFields(table.columns.filter(({ name }) => captured.has(name))), ...ofHost],
    operations: [...new Set([...capture.operations, ...others])],
    table: {
      schema: capture.schemaName,
      table: capture.tableName,
      tenantColumn: capture.tenantColumn,
      tenantConstant: capture.tenant,
    },
  };
}

function isSameTable(one: TableName, other: TableName): boolean {
  return one.schemaName === other.schemaName && one.tableName === other.tableName;
}

async function noSuchTable(client: Runner, { schemaName, tableName }: WrittenTableName): Promise<WorkflowError> {
  const written = schemaName === null ? tableName : `${schemaName}.${tableName}`;
  const tables = await readTableNames(client);
  const allowed = tables.map((table) =>
    schemaName === null ? table.tableName : `${table.schemaName}.${table.tableName}`,
  );
  const meant = nearest(written, allowed);
  const table = tables[allowed.indexOf(meant ?? '')];
  const next = table ? `did you mean ${writeTableName(table)}?` : 'create it first, or write its schema';
  const issue = { path: 'table', message: `there is no table ${written}: ${next}` };
  return new WorkflowError('invalid', issue.message, {
    issues: [table ? { ...issue, didYouMean: writeTableName(table) } : issue],
  });
}

function taken(entityType: string, table: string): WorkflowError {
  return new WorkflowError(
    'conflict',
    `entity type "${entityType}" is captured from ${table} already: choose another name, or remove that capture first`,
  );
}
