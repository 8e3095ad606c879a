import type { WorkflowError } from '../errors.ts';
import { ok, type Result } from '../model/result.ts';
import { type CaptureInfo, listCaptures } from '../store/capture-registry.ts';
import type { Database } from '../store/database.ts';
import { changeCaptures } from './change-captures.ts';
import { dropCapture } from './drop-capture.ts';
import { findCapture } from './find-capture.ts';

/** Takes the triggers off a table, also one that was renamed or is gone. Its events stay. Answers what was removed. */
export async function removeCapture(database: Database, table: string): Promise<Result<CaptureInfo, WorkflowError>> {
  return changeCaptures(database, table, async (orm, client) => {
    const found = findCapture(await listCaptures(orm), table);
    if (!found.ok) return found;
    await dropCapture(orm, client, found.value);
    return ok(found.value);
  });
}
