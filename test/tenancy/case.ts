import type { Attack } from './probe.ts';

/** What a method of a service is to the tenants, and how one attacks another through it. */
export type Case =
  /** Bound to the tenant it is given. `isBlind`: why the attack would notice nothing if nothing defended. */
  | { readonly scope: 'tenant'; readonly attack: Attack; readonly isBlind?: string }
  /** What the engine calls, with the rights of the worker: only the conditions of its statements defend. */
  | { readonly scope: 'worker'; readonly attack: Attack }
  /** Not for tenants. */
  | { readonly scope: 'operator' | 'host'; readonly why: string };

/** A method of tenants. */
export const tenant = (attack: Attack): Case => ({ scope: 'tenant', attack });
/** A method of tenants whose attack cannot notice that nothing defends. */
export const blind = (isBlind: string, attack: Attack): Case => ({ scope: 'tenant', attack, isBlind });
/** A method of the engine. */
export const worker = (attack: Attack): Case => ({ scope: 'worker', attack });
/** Not for tenants: it is the operator's. */
export const operator = (why: string): Case => ({ scope: 'operator', why });
/** Not for tenants: it is for code of the host. */
export const host = (why: string): Case => ({ scope: 'host', why });

/** What is answered to each of these, asked one after the other. */
export async function each<T>(values: readonly T[], call: (value: T) => Promise<unknown>): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const value of values) answers.push(await call(value));
  return answers;
}

/** The tenant's own row, whatever a tenant calls it. */
export const ownRow = 'it writes the row of the tenant and the name, which is not that of the victim';
