// TEMPORARY scaffold so that others can run: the owner of match replaces this file.
import type { Issue } from '../errors.ts';
import type { EntityType } from './entity-type.ts';
import { ok, type Result } from './result.ts';
export type SavedQuery = { readonly name: string; readonly entityType: string; readonly parameters: readonly { name: string; type: string }[]; readonly filter: unknown };
export type SavedQueryInput = SavedQuery;
export function validateSavedQuery(input: unknown, _entityTypes: readonly EntityType[]): Result<SavedQuery, readonly Issue[]> { return ok(input as SavedQuery); }
