import { AsyncLocalStorage } from 'node:async_hooks';

const ambient = new AsyncLocalStorage<string>();

/** Runs `work`; domain events that it dispatches say that they come of `causation` (`model/causation.ts`). */
export function causedBy<T>(causation: string, work: () => T): T {
  return ambient.run(causation, work);
}

/** What the code that runs now comes of; null outside of `causedBy`. */
export function currentCausation(): string | null {
  return ambient.getStore() ?? null;
}
