import type { WorkflowError } from '../errors.ts';
import type { Result } from '../model/result.ts';
import type { Transaction } from '../store/database.ts';

/** What a method of a service comes back with. Refusals are values; only faults reject. */
export type Answer<T> = Promise<Result<T, WorkflowError>>;

/** In whose transaction a method writes: the caller's, or one of its own. */
export type WriteOptions = { readonly tx?: Transaction | undefined };
