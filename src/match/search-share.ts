/**
 * What a condition may look through of a record. Most conditions compare single values. Those that search texts and lists, or
 * compare one field with another, take time with what the record holds, and a definition has room for thousands of them. So a
 * workflow has a fixed amount of it for each event, which its conditions share; one that would take more is undecided. It
 * depends on definition and record only: an explanation decides as the first evaluation did.
 */
import { Decimal } from '../model/decimal.ts';
import type { Json } from '../model/json.ts';

/** Characters that all conditions of a workflow may look through, of one event: at worst half a second. */
export const workflowShare = 100_000_000;

/** Characters that an element of a list, or a field of an object, costs as much as. */
const perElement = 100;

/** The share of each condition of a definition: of the workflow's own and of those of its actions. */
export function searchShare(definition: {
  readonly conditions: readonly unknown[];
  readonly actions: readonly { readonly conditions?: readonly unknown[] | undefined }[];
}): number {
  const written = [definition.conditions, ...definition.actions.map(({ conditions = [] }) => conditions)].flat();
  return Math.floor(workflowShare / Math.max(1, countConditions(written)));
}

/** Those that hold no others. */
function countConditions(written: readonly unknown[]): number {
  return written.reduce<number>((sum, condition) => {
    const { all, any, not } = (condition ?? {}) as { all?: unknown; any?: unknown; not?: unknown };
    const inner = [all, any].find(Array.isArray) ?? (not === undefined ? null : [not]);
    return sum + (inner === null ? 1 : countConditions(inner));
  }, 0);
}

/** Whether to look through the value takes more than a share. */
export function exceeds(value: Json | undefined, share: number): boolean {
  if (typeof value === 'string') return value.length > share;
  return typeof value === 'object' && value !== null && leftOf(value, share) < 0;
}

/** What is left of a share; below 0 when the value takes more. Asks no further than that, and not below a thousand levels. */
function leftOf(value: Json, share: number, depth = 0): number {
  if (typeof value === 'string') return share - value.length;
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return share;
  if (depth > deepest) return -1;
  const parts: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  let left = share - parts.length * perElement;
  for (let index = 0; left >= 0 && index < parts.length; index++) left = leftOf(parts[index] as Json, left, depth + 1);
  return left;
}

const deepest = 1_000;
