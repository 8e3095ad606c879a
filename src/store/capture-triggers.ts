import { createHash } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { type RowOperation, rowOperations } from '../model/event.ts';
import type { CatalogMember } from './capture-catalog.ts';
import { captureFunctionBody } from './capture-function.ts';
import type { CapturedTable, TableName } from './capture-registry.ts';
import type { Runner } from './connection.ts';

/** The trigger function of a table and operation, as the catalog has it. */
export type InstalledFunction = {
  readonly name: string;
  readonly body: string;
  /** Runs with the rights of `tocsin_capture`, which may write events and nothing more, and a fixed search path. */
  readonly isSafe: boolean;
  /** Its owner may write the outbox; if not, every write to the table fails. */
  readonly canWrite: boolean;
};

/** A trigger that calls one of our functions, as the catalog has it. */
export type InstalledTrigger = TableName & {
  readonly relation: string;
  readonly name: string;
  readonly functionName: string;
  readonly isEnabled: boolean;
  /** After the statement, for one operation, with its transition tables. */
  readonly isAsMade: boolean;
};

const safeSearchPath = 'search_path=pg_catalog, pg_temp';

/** Owner of the functions behind capture triggers. */
const captureRole = 'tocsin_capture';

/** What a trigger of an operation looks like: its transition tables in SQL and in the catalog (`tgtype`: after, statement). */
const triggerForms = {
  insert: { type: 4, referencing: 'new table as new_rows' },
  update: { type: 16, referencing: 'old table as old_rows new table as new_rows' },
  delete: { type: 8, referencing: 'old table as old_rows' },
} as const satisfies Record<RowOperation, { type: number; referencing: string }>;

/** Name of the trigger for an operation, on the table and each of its partitions. */
export function captureTriggerName(operation: RowOperation): string {
  return `tocsin_capture_${operation}`;
}

/** Name of a table's trigger function in schema `tocsin`: readable, and its own however long the table's name is. */
export function captureFunctionName({ schemaName, tableName }: TableName, operation: RowOperation): string {
  const readable = tableName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 32);
  const hash = createHash('sha256')
    .update(JSON.stringify([schemaName, tableName]))
    .digest('hex')
    .slice(0, 10);
  return `capture_${operation}_${readable}_${hash}`;
}

/** Names of all trigger functions that a table may have. */
export function captureFunctionNames(table: TableName): string[] {
  return rowOperations.map((operation) => captureFunctionName(table, operation));
}

/** The functions of these names that exist. */
export async function readCaptureFunctions(runner: Runner, names: readonly string[]): Promise<InstalledFunction[]> {
  const { rows } = await runner.query<InstalledFunction>(
    `select p.proname as name, p.prosrc as body,
       p.prosecdef and p.proconfig is not distinct from array[$2] and pg_get_userbyid(p.proowner) = $3 as "isSafe",
       has_table_privilege(p.proowner, 'tocsin.events', 'insert') as "canWrite"
     from pg_catalog.pg_proc p
     where p.pronamespace = 'tocsin'::regnamespace
       and p.proname = any ($1)
       and p.prorettype = 'trigger'::regtype`,
    [names, safeSearchPath, captureRole],
  );
  return rows;
}

/** The triggers, on any table, that call functions of these names. */
export async function readCaptureTriggers(
  runner: Runner,
  functionNames: readonly string[],
): Promise<InstalledTrigger[]> {
  const { rows } = await runner.query<InstalledTrigger>(
    `select c.oid::text as relation, n.nspname as "schemaName", c.relname as "tableName", t.tgname as name,
       p.proname as "functionName", t.tgenabled in ('O', 'A') as "isEnabled",
       t.tgqual is null and case t.tgtype
         when 4 then t.tgnewtable = 'new_rows' and t.tgname = 'tocsin_capture_insert'
         when 8 then t.tgoldtable = 'old_rows' and t.tgname = 'tocsin_capture_delete'
         when 16 then t.tgoldtable = 'old_rows' and t.tgnewtable = 'new_rows' and t.tgname = 'tocsin_capture_update'
         else false
       end as "isAsMade"
     from pg_catalog.pg_trigger t
       join pg_catalog.pg_proc p on p.oid = t.tgfoid
       join pg_catalog.pg_class c on c.oid = t.tgrelid
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where p.pronamespace = 'tocsin'::regnamespace
       and p.proname = any ($1)`,
    [functionNames],
  );
  return rows;
}

/** Makes the trigger function of an operation, or replaces it. */
export async function writeCaptureFunction(
  runner: Runner,
  table: CapturedTable,
  operation: RowOperation,
): Promise<void> {
  const name = captureFunctionName(table, operation);
  await runner.query(
    `create or replace function tocsin.${name}() returns trigger
       language plpgsql
       security definer
       set search_path = pg_catalog, pg_temp
       as ${escapeLiteral(captureFunctionBody(table, operation))}`,
  );
  await runner.query(`revoke all on function tocsin.${name}() from public`);
  // A function can be made over only to a role that may create in its schema: for this moment of this transaction.
  await runner.query(`grant create on schema tocsin to ${captureRole}`);
  await runner.query(`alter function tocsin.${name}() owner to ${captureRole}`);
  await runner.query(`revoke create on schema tocsin from ${captureRole}`);
}

/** Makes the trigger of an operation on a table or partition, or replaces it. Waits for writers of the table, and they for it. */
export async function writeCaptureTrigger(
  runner: Runner,
  member: CatalogMember,
  given: { table: TableName; operation: RowOperation },
): Promise<void> {
  await runner.query(
    `create or replace trigger ${captureTriggerName(given.operation)}
       after ${given.operation} on ${quoted(member)}
       referencing ${triggerForms[given.operation].referencing}
       for each statement
       execute function tocsin.${captureFunctionName(given.table, given.operation)}()`,
  );
}

/** Takes a trigger off its table. */
export async function dropCaptureTrigger(runner: Runner, trigger: InstalledTrigger): Promise<void> {
  await runner.query(`drop trigger ${escapeIdentifier(trigger.name)} on ${quoted(trigger)}`);
}

/** Drops a trigger function that no trigger calls any more. */
export async function dropCaptureFunction(runner: Runner, name: string): Promise<void> {
  await runner.query(`drop function if exists tocsin.${escapeIdentifier(name)}()`);
}

function quoted({ schemaName, tableName }: TableName): string {
  return `${escapeIdentifier(schemaName)}.${escapeIdentifier(tableName)}`;
}
