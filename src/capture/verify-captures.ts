import type { WorkflowError } from '../errors.ts';
import { ok, type Result } from '../model/result.ts';
import { type CatalogTable, readTable } from '../store/capture-catalog.ts';
import { captureFunctionBody } from '../store/capture-function.ts';
import { type CaptureInfo, listCaptures, writeTableName } from '../store/capture-registry.ts';
import {
  captureFunctionName,
  captureFunctionNames,
  captureTriggerName,
  type InstalledFunction,
  type InstalledTrigger,
  readCaptureFunctions,
  readCaptureTriggers,
} from '../store/capture-triggers.ts';
import type { Database } from '../store/database.ts';
import { capturedColumns } from './capture-options.ts';
import { type CaptureProblem, captureProblem } from './capture-problem.ts';
import { findCapture } from './find-capture.ts';

/** What is wrong with one capture; nothing when all is as installed. */
export type CaptureReport = {
  readonly table: string;
  readonly capture: CaptureInfo;
  readonly problems: readonly CaptureProblem[];
};

/** Compares captures with the catalog as it is now: all of them, or that of one table. Changes nothing. */
export async function verifyCaptures(
  database: Database,
  options: { readonly table?: string } = {},
): Promise<Result<CaptureReport[], WorkflowError>> {
  const captures = await listCaptures(database.orm);
  const found = options.table === undefined ? null : findCapture(captures, options.table);
  if (found && !found.ok) return found;
  const reports: CaptureReport[] = [];
  for (const capture of found ? [found.value] : captures) {
    reports.push({ table: capture.table, capture, problems: await findProblems(database, capture) });
  }
  return ok(reports);
}

async function findProblems(database: Database, capture: CaptureInfo): Promise<CaptureProblem[]> {
  const { pool } = database;
  const names = captureFunctionNames(capture);
  const [table, triggers, functions] = await Promise.all([
    readTable(pool, capture),
    readCaptureTriggers(pool, names),
    readCaptureFunctions(pool, names),
  ]);
  if (!table) {
    const renamed = triggers.find(
      (trigger) => trigger.functionName === captureFunctionName(capture, capture.operations[0] ?? 'insert'),
    );
    return [
      renamed
        ? captureProblem('table_renamed', writeTableName(renamed))
        : captureProblem('table_missing', capture.table),
    ];
  }
  return [
    ...functionProblems(capture, functions),
    ...triggerProblems(capture, table, triggers),
    ...columnProblems(capture, table),
  ];
}

function functionProblems(capture: CaptureInfo, functions: readonly InstalledFunction[]): CaptureProblem[] {
  return capture.operations.flatMap((operation) => {
    const name = captureFunctionName(capture, operation);
    const found = functions.find((one) => one.name === name);
    if (!found) return [captureProblem('function_missing', name)];
    const problems: CaptureProblem[] = [];
    if (found.body !== captureFunctionBody(capture, operation)) problems.push(captureProblem('function_changed', name));
    if (!found.isSafe) problems.push(captureProblem('function_rights', name));
    if (!found.canWrite) problems.push(captureProblem('owner_cannot_write', name));
    return problems;
  });
}

function triggerProblems(
  capture: CaptureInfo,
  table: CatalogTable,
  triggers: readonly InstalledTrigger[],
): CaptureProblem[] {
  const problems: CaptureProblem[] = [];
  for (const member of table.members) {
    if (member.kind === 'f') {
      problems.push(captureProblem('foreign_partition', writeTableName(member)));
      continue;
    }
    const found = capture.operations.flatMap((operation) => {
      const functionName = captureFunctionName(capture, operation);
      const trigger = triggers.find((one) => one.relation === member.oid && one.functionName === functionName);
      return triggerProblem(captureTriggerName(operation), trigger);
    });
    const isPartition = member.oid !== table.oid;
    if (isPartition && found.length > 0)
      problems.push(captureProblem('partition_without_trigger', writeTableName(member)));
    else problems.push(...found);
  }
  const relations = new Set(table.members.map(({ oid }) => oid));
  const elsewhere = new Set(triggers.filter(({ relation }) => !relations.has(relation)).map(writeTableName));
  return [...problems, ...[...elsewhere].map((name) => captureProblem('trigger_elsewhere', name))];
}

function triggerProblem(name: string, trigger: InstalledTrigger | undefined): CaptureProblem[] {
  if (!trigger) return [captureProblem('trigger_missing', name)];
  if (!trigger.isAsMade) return [captureProblem('trigger_changed', name)];
  return trigger.isEnabled ? [] : [captureProblem('trigger_disabled', name)];
}

function columnProblems(capture: CaptureInfo, table: CatalogTable): CaptureProblem[] {
  const problems: CaptureProblem[] = [];
  const now = new Map(capturedColumns(table, capture.excluded).map((column) => [column.name, column]));
  for (const { name, type } of capture.columns) {
    const column = now.get(name);
    if (!column && name === capture.tenantColumn) problems.push(captureProblem('tenant_column_missing', name));
    else if (!column) problems.push(captureProblem('column_renamed_or_dropped', name));
    else if (column.type !== type) problems.push(captureProblem('column_type_changed', name));
  }
  const known = new Set(capture.columns.map(({ name }) => name));
  for (const name of now.keys()) if (!known.has(name)) problems.push(captureProblem('column_added', name));
  if (JSON.stringify(capture.keyColumns) !== JSON.stringify(table.keyColumns)) {
    problems.push(captureProblem('key_changed', `(${capture.keyColumns.join(', ')})`));
  }
  return problems;
}
