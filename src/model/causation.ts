/**
 * What led to an event: the workflows whose effects did, oldest first. Carried from an event through its executions to what
 * they do - a header of our webhooks, a word for handlers - and back with the events that come of it, so that workflows which
 * trigger each other stop. It is a hint of whoever writes the event: without it a chain begins anew.
 */

/** Name of the header that our webhooks carry it in. */
export const causationHeader = 'tocsin-causation';

/** No chain is kept longer: of a longer one the newest part, which is still as deep as any limit. */
export const longestCausation = 32;

/** Characters of a written chain that are looked at, from its end: enough for the longest and its separators. */
const longestText = 2_048;

const workflowId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** When a chain is a loop. */
export type CausationLimits = {
  /** An event with this many workflows before it starts none. */
  readonly maxDepth: number;
  /** A workflow that stands this often in the chain is not started by it again. */
  readonly maxRepeats: number;
};

/** Deep enough for workflows that build on each other, low enough that a loop which doubles with each turn stays small. */
export const defaultCausationLimits: CausationLimits = { maxDepth: 8, maxRepeats: 3 };

/** A chain as it was written, by us or by whoever passed it on. What is no id of a workflow is left out. */
export function parseCausation(text: string | null | undefined): readonly string[] {
  if (!text) return [];
  return text
    .slice(-longestText)
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => workflowId.test(word))
    .slice(-longestCausation);
}

/** A chain in writing; null for an empty one. */
export function formatCausation(chain: readonly string[]): string | null {
  return chain.length === 0 ? null : chain.slice(-longestCausation).join(',');
}

/** What stands before the events that come of a workflow's effects: the chain of the event that started it, and the workflow. */
export function appendCausation(causation: string | null, workflow: string): string {
  return [...parseCausation(causation), workflow].slice(-longestCausation).join(',');
}

/** The chain, if the workflow must not be started by it once more; else null. */
export function loopOf(
  causation: string | null,
  workflow: string,
  { maxDepth, maxRepeats }: CausationLimits,
): readonly string[] | null {
  if (causation === null) return null;
  const chain = parseCausation(causation);
  const repeats = chain.filter((id) => id === workflow).length;
  return chain.length >= maxDepth || repeats >= maxRepeats ? chain : null;
}
