/**
 * Everything that can be wrong with an installed capture, with the sentence people read; `{}` is the trigger, column or table
 * it is about. Installing again repairs all of it, unless the sentence says otherwise.
 */
export const captureProblems = {
  table_missing: 'The table is gone: remove the capture.',
  table_renamed: 'The table is called {} now: install capture under that name.',
  trigger_missing: 'The trigger {} is gone, so its changes are not captured: install again.',
  trigger_disabled: 'The trigger {} is disabled, so its changes are not captured: install again.',
  trigger_changed: 'The trigger {} is not as it was made: install again.',
  trigger_elsewhere: 'The table {} still has a trigger of this capture, and is not part of the table: install again.',
  function_missing: 'The function {} is gone: install again.',
  function_changed: 'The function {} is not the one that this version of Tocsin makes: install again.',
  function_rights:
    'The function {} does not run with the rights of tocsin_capture and a fixed search path, as one of an earlier version: install again.',
  owner_cannot_write:
    'The owner of the function {} may not write tocsin.events, so every write to the table fails: install again.',
  partition_without_trigger: 'What is written directly to the partition {} is not captured: install again.',
  foreign_partition:
    'The partition {} is a foreign table, whose rows PostgreSQL cannot hand to triggers, so writes to it may fail: detach it, or remove the capture.',
  column_added:
    'The column {} is new: workflows cannot name it yet, and a change of it is not listed as one (nor stored, where columns are excluded). Install again.',
  column_renamed_or_dropped:
    'The column {} is gone: renamed or dropped. Install again, and look at workflows that name it.',
  column_type_changed: 'The column {} has another type now: install again.',
  tenant_column_missing:
    'The column {} named the tenant and is gone: events have no tenant and become dead letters. Install again with another one.',
  key_changed: 'The primary key is not {} any more, so events name their record by something else: install again.',
} as const;

export type CaptureProblemCode = keyof typeof captureProblems;

/** Something wrong with an installed capture. */
export type CaptureProblem = {
  readonly code: CaptureProblemCode;
  /** What it is about: a trigger, a function, a column, a table. */
  readonly subject: string;
  readonly message: string;
};

/** A problem with its sentence. */
export function captureProblem(code: CaptureProblemCode, subject: string): CaptureProblem {
  return { code, subject, message: captureProblems[code].replace('{}', () => subject) };
}
