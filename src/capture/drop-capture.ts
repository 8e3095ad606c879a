import { type CaptureInfo, deleteCapture } from '../store/capture-registry.ts';
import {
  captureFunctionNames,
  dropCaptureFunction,
  dropCaptureTrigger,
  readCaptureTriggers,
} from '../store/capture-triggers.ts';
import type { Runner } from '../store/connection.ts';
import type { Orm } from '../store/database.ts';
import { deleteEntityType, loadEntityTypes, upsertEntityType } from '../store/entity-types.ts';

/** Takes a capture off wherever its triggers are, with what it contributed to its entity type. */
export async function dropCapture(orm: Orm, client: Runner, capture: CaptureInfo): Promise<void> {
  const names = captureFunctionNames(capture);
  for (const trigger of await readCaptureTriggers(client, names)) await dropCaptureTrigger(client, trigger);
  for (const name of names) await dropCaptureFunction(client, name);
  await releaseEntityType(orm, capture);
  await deleteCapture(orm, capture);
}

/** Takes a capture's operations off its entity type; a type that has no others is forgotten. */
export async function releaseEntityType(orm: Orm, capture: CaptureInfo): Promise<void> {
  const [known] = await loadEntityTypes(orm, [capture.entityType]);
  if (!known) return;
  const captured: ReadonlySet<string> = new Set(capture.operations);
  const operations = known.operations.filter((operation) => !captured.has(operation));
  if (operations.length === 0) await deleteEntityType(orm, known.name);
  else await upsertEntityType(orm, { ...known, operations });
}
