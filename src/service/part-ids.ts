import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { Issue } from '../errors.ts';
import { stringifyJson } from '../model/json.ts';
import type { WorkflowDefinition, workflowInput } from '../model/workflow.ts';

type Part = { readonly partId?: string | undefined };
type ActionPart = Part & { readonly conditions: readonly Part[]; readonly recipients?: readonly Part[] | undefined };

/** The parts of a workflow, whether they have their ids or not. */
export type WorkflowParts = {
  readonly triggers: readonly Part[];
  readonly conditions: readonly Part[];
  readonly actions: readonly ActionPart[];
  readonly recipients: readonly Part[];
};

/** JSON text in which the order of keys does not matter: equal for equal values. */
export function canonicalJson(value: unknown): string {
  return stringifyJson(sorted(value));
}

/** Part ids that stand more than once, at each place after the first. */
export function repeatedPartIds(parts: WorkflowParts): Issue[] {
  const issues: Issue[] = [];
  const firstPath = new Map<string, string>();
  for (const { path, partId } of placesOf(parts)) {
    if (partId === undefined) continue;
    const first = firstPath.get(partId);
    if (first === undefined) firstPath.set(partId, path);
    else issues.push({ path: `${path}.partId`, message: `"${partId}" is also the id of ${first}: leave it out here` });
  }
  return issues;
}

/**
 * Gives every part its id: the one it came with, else that of an equal part of `previous` which nobody has taken, wherever
 * it stood, else a new one.
 */
export function identifyParts(
  parts: Pick<z.output<typeof workflowInput>, keyof WorkflowParts>,
  previous?: WorkflowParts,
): Omit<WorkflowDefinition, 'settings'> {
  const taken = new Set(placesOf(parts).map((place) => place.partId));
  const free = new Map<string, string[]>();
  for (const { content, partId } of previous ? placesOf(previous) : []) {
    if (partId === undefined || taken.has(partId)) continue;
    free.set(content, [...(free.get(content) ?? []), partId]);
  }
  const ids = placesOf(parts).map(({ content, partId }) => partId ?? free.get(content)?.shift() ?? randomUUID());
  let next = 0;
  function identified<T extends Part>(part: T): T & { readonly partId: string } {
    return { ...part, partId: ids[next++] as string };
  }
  // In the order of placesOf.
  return {
    triggers: parts.triggers.map(identified),
    conditions: parts.conditions.map(identified),
    actions: parts.actions.map((action) => {
      const { conditions, recipients, ...rest } = identified(action);
      return {
        ...rest,
        conditions: conditions.map(identified),
        ...(recipients ? { recipients: recipients.map(identified) } : {}),
      };
    }),
    recipients: parts.recipients.map(identified),
  };
}

/** A part: where it stands, and its kind and what it says as text, whatever its own id and those of the parts inside. */
type Place = { readonly path: string; readonly content: string; readonly partId: string | undefined };

function placesOf(parts: WorkflowParts): Place[] {
  return [
    ...placesIn('triggers', parts.triggers),
    ...placesIn('conditions', parts.conditions),
    ...parts.actions.flatMap((action, index) => [
      placeOf({ kind: 'actions', path: `actions[${index}]`, part: action }),
      ...placesIn('conditions', action.conditions, `actions[${index}].`),
      ...placesIn('recipients', action.recipients ?? [], `actions[${index}].`),
    ]),
    ...placesIn('recipients', parts.recipients),
  ];
}

function placesIn(kind: string, parts: readonly Part[], base = ''): Place[] {
  return parts.map((part, index) => placeOf({ kind, path: `${base}${kind}[${index}]`, part }));
}

function placeOf(options: { kind: string; path: string; part: Part }): Place {
  const { kind, path, part } = options;
  const { partId, ...said } = part;
  const inside = kind === 'actions' ? withoutPartIds(part as ActionPart) : {};
  return { path, partId, content: canonicalJson({ kind, ...said, ...inside }) };
}

function withoutPartIds({ conditions, recipients }: ActionPart): object {
  const strip = ({ partId: _partId, ...said }: Part) => said;
  return { conditions: conditions.map(strip), ...(recipients ? { recipients: recipients.map(strip) } : {}) };
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}
