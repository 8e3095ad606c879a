import { type Issue, invalid, unknownWord, type WorkflowError } from '../errors.ts';
import { namePattern, type RowOperation, rowOperations } from '../model/event.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import type { CatalogTable } from '../store/capture-catalog.ts';
import { type CapturedColumn, type CapturedTable, writeTableName } from '../store/capture-registry.ts';

/** What to capture of a table. */
export type CaptureOptions = {
  /** `public.orders`, `Sales."Order Lines"`; without a schema the search path decides. */
  readonly table: string;
  /** What workflows call its rows, e.g. `order`. */
  readonly entityType: string;
  /** The column that names a row's tenant. Either this or `tenant`. */
  readonly tenantColumn?: string;
  /** The tenant that owns every row. */
  readonly tenant?: string;
  /** Columns that never leave the table. With them, columns added later are captured only after installing again. */
  readonly exclude?: readonly string[];
  /** Default: all three. */
  readonly operations?: readonly RowOperation[];
  /** Write an event only while an active workflow of the row's tenant listens to it. Default: always, so that drafts can be backtested. */
  readonly onlyWhenSubscribed?: boolean;
};

const kinds: Readonly<Record<string, string>> = { v: 'a view', m: 'a materialized view', f: 'a foreign table' };

/** The capture that the options ask for, on the table as it is; or what is wrong with them. */
export function planCapture(options: CaptureOptions, table: CatalogTable): Result<CapturedTable, WorkflowError> {
  const issues = [...tableIssues(table), ...optionIssues(options), ...columnIssues(options, table)];
  if (issues.length > 0) return err(invalid(`capture of ${writeTableName(table)}`, issues));
  const excluded = [...new Set(options.exclude)].toSorted();
  return ok({
    schemaName: table.schemaName,
    tableName: table.tableName,
    entityType: options.entityType,
    tenantColumn: options.tenantColumn ?? null,
    tenant: options.tenant ?? null,
    excluded,
    keyColumns: table.keyColumns,
    columns: capturedColumns(table, excluded),
    operations: rowOperations.filter((operation) => !options.operations || options.operations.includes(operation)),
    onlyWhenSubscribed: options.onlyWhenSubscribed ?? false,
  });
}

/** The columns a capture knows by name: not what is excluded, nor what triggers cannot read. */
export function capturedColumns(table: CatalogTable, excluded: readonly string[]): CapturedColumn[] {
  return table.columns
    .filter(({ name, isVirtual }) => !isVirtual && !excluded.includes(name))
    .map(({ name, type }) => ({ name, type }));
}

function tableIssues(table: CatalogTable): Issue[] {
  const path = 'table';
  const kind = kinds[table.kind];
  if (kind) return [{ path, message: `is ${kind}: capture the table it shows` }];
  if (table.schemaName === 'tocsin') return [{ path, message: "is one of Tocsin's own" }];
  if (table.isTemporary) return [{ path, message: 'is temporary: nobody else sees its rows' }];
  if (table.isPartition) return [{ path, message: 'is a partition: capture the table it is a partition of' }];
  const foreign = table.members.find((member) => member.kind === 'f');
  if (foreign) {
    const name = writeTableName(foreign);
    return [
      { path, message: `has the partition ${name}, a foreign table: PostgreSQL cannot hand its rows to triggers` },
    ];
  }
  return [];
}

function optionIssues(options: CaptureOptions): Issue[] {
  const issues: Issue[] = [];
  if (!namePattern.test(options.entityType)) {
    issues.push({
      path: 'entityType',
      message: 'begin with a letter, then letters, digits, "_", "-" and ".", 63 at most',
    });
  }
  if ((options.tenantColumn === undefined) === (options.tenant === undefined)) {
    issues.push({ path: 'tenantColumn', message: 'say who owns a row: either tenantColumn, or tenant for all rows' });
  }
  if (options.tenant === '' || !isStorableText(options.tenant ?? '')) {
    issues.push({ path: 'tenant', message: 'is empty, or holds what PostgreSQL cannot store' });
  }
  if (options.operations?.length === 0) {
    issues.push({ path: 'operations', message: 'is empty: leave it out to capture all of them' });
  }
  const allowed: readonly string[] = rowOperations;
  options.operations?.forEach((written, index) => {
    if (!allowed.includes(written)) {
      issues.push(unknownWord({ path: `operations[${index}]`, kind: 'operation', written, allowed }));
    }
  });
  return issues;
}

function columnIssues(options: CaptureOptions, table: CatalogTable): Issue[] {
  const allowed = table.columns.map(({ name }) => name);
  const named = (options.exclude ?? []).map((written, index) => ({ path: `exclude[${index}]`, written }));
  if (options.tenantColumn !== undefined) named.push({ path: 'tenantColumn', written: options.tenantColumn });
  const issues = named
    .filter(({ written }) => !allowed.includes(written))
    .map(({ path, written }) => unknownWord({ path, kind: `column of ${writeTableName(table)}`, written, allowed }));
  if (table.columns.some(({ name, isVirtual }) => isVirtual && name === options.tenantColumn)) {
    issues.push({
      path: 'tenantColumn',
      message: 'is a virtual generated column, which triggers cannot read: make it stored',
    });
  }
  const needed = new Set([...table.keyColumns, options.tenantColumn]);
  options.exclude?.forEach((written, index) => {
    if (needed.has(written)) {
      issues.push({
        path: `exclude[${index}]`,
        message: 'an event is filed under its key and its tenant: it cannot do without',
      });
    }
  });
  return issues;
}
