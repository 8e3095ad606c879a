/**
 * Whom a matched workflow tells. Two ways to the same answer, both through `Audience`:
 *
 * - `resolveRecipients` asks the directory page by page, whatever the size of a role, and runs custom resolvers.
 * - `inlineQueries` and `combineRecipients` are for an engine that asks the directory for a whole batch of events in one
 *   statement; what takes more than that they refuse (`null`, `too_many`), and it is resolved page by page.
 */
import { userId } from '../model/directory-user.ts';
import type { WorkflowEvent } from '../model/event.ts';
import {
  type Directory,
  queryKey,
  type Recipient,
  type RecipientAnswers,
  type RecipientQuery,
} from '../model/recipient.ts';
import { ok, type Result } from '../model/result.ts';
import { Audience, type AudiencePage, type AudienceRules, type RecipientPart } from './audience.ts';
import { type PartFailure, recipientQuery, resolverFailure } from './recipient-query.ts';
import { withinTime } from './within-time.ts';

export type { RecipientAnswers } from '../model/recipient.ts';

export type ResolveOptions = AudienceRules & {
  readonly directory: Directory;
  /** How many users are asked for at a time. A page that is answered may hold up to twice as many. */
  readonly pageSize: number;
  /** What one question to the directory, or one custom resolver, may take. */
  readonly timeoutMs: number;
  /** Ends the work as a whole: the generator throws the signal's reason, and what is missing is nobody's decision. */
  readonly signal: AbortSignal;
};

/**
 * Asks whom the parts name, in the order they stand, and answers it in pages: memory does not grow with what a role's users
 * hold, only with their ids. The last page may be empty but for its traces.
 *
 * A directory or resolver that rejects, hangs or answers nonsense contributes nobody and is traced (`resolver_failed`);
 * pages it gave before stay as they are.
 */
export async function* resolveRecipients(
  parts: readonly RecipientPart[],
  options: ResolveOptions,
): AsyncGenerator<AudiencePage, void, undefined> {
  const audience = new Audience(options);
  for (const part of parts) {
    for await (const _answer of askPart(part, audience, options)) {
      if (audience.pageLength >= options.pageSize) yield audience.takePage();
    }
  }
  yield audience.takePage();
}

/** Fills the audience with those a part names; yields after each answer of the directory. */
async function* askPart(
  part: RecipientPart,
  audience: Audience,
  options: ResolveOptions,
): AsyncGenerator<void, void, undefined> {
  let failure: PartFailure | undefined;
  if (!audience.isCapped) {
    try {
      const query = await queryOf(part, options);
      if (!query.ok) failure = query.error;
      else if (query.value.kind === 'users') yield* askByIds(part, audience, { ...options, ids: query.value.ids });
      else yield* askPages(part, audience, { ...options, query: query.value });
    } catch (error) {
      options.signal.throwIfAborted();
      failure = resolverFailure(error);
    }
  }
  audience.close(part, failure);
}

async function queryOf(part: RecipientPart, options: ResolveOptions): Promise<Result<RecipientQuery, PartFailure>> {
  const { compiled } = part;
  const { event, directory } = options;
  if (compiled.kind === 'query') return recipientQuery(compiled, event);
  const answer: unknown = await withinTime(
    (signal) => compiled.resolve({ event, tenantId: event.tenantId, directory, signal }),
    { ...options, what: `the resolver "${part.type}"` },
  );
  return ok({ kind: 'users', ids: checkedIds(answer) });
}

/** What a custom resolver answered, if it is user ids; others could not be stored. */
function checkedIds(answer: unknown): string[] {
  if (!Array.isArray(answer)) throw new Error('the resolver did not answer a list of user ids');
  const ids = new Set<string>();
  for (const id of answer) {
    if (!userId.safeParse(id).success) throw new Error(`the resolver answered ${JSON.stringify(id)}, not a user id`);
    ids.add(id);
  }
  return [...ids];
}

async function* askByIds(
  part: RecipientPart,
  audience: Audience,
  options: ResolveOptions & { ids: readonly string[] },
): AsyncGenerator<void, void, undefined> {
  const { ids, pageSize } = options;
  for (let start = 0; start < ids.length && !audience.isCapped; start += pageSize) {
    const asked = ids.slice(start, start + pageSize);
    audience.admitNamed(part, asked, await find({ kind: 'users', ids: asked }, null, options));
    yield;
  }
}

async function* askPages(
  part: RecipientPart,
  audience: Audience,
  options: ResolveOptions & { query: RecipientQuery },
): AsyncGenerator<void, void, undefined> {
  let after: string | null = null;
  while (!audience.isCapped) {
    const users: readonly Recipient[] = await find(options.query, after, options);
    audience.admit(part, users);
    yield;
    const last = users.at(-1);
    if (last === undefined || users.length < options.pageSize) return;
    if (after !== null && !isAfter(last.id, after)) {
      throw new Error(`the directory answered a page up to user "${last.id}" when asked for those after "${after}"`);
    }
    after = last.id;
  }
}

function find(query: RecipientQuery, after: string | null, options: ResolveOptions): Promise<readonly Recipient[]> {
  const { directory, event, pageSize: limit } = options;
  return withinTime(() => directory.find(event.tenantId, query, { after, limit }), {
    ...options,
    what: 'the directory',
  });
}

function isAfter(id: string, other: string): boolean {
  return Buffer.compare(Buffer.from(id), Buffer.from(other)) > 0;
}

/** What the directory must be asked for these parts; null when one of them is custom. */
export function inlineQueries(parts: readonly RecipientPart[], event: WorkflowEvent): readonly RecipientQuery[] | null {
  const queries: RecipientQuery[] = [];
  for (const { compiled } of parts) {
    if (compiled.kind === 'custom') return null;
    const query = recipientQuery(compiled, event);
    if (query.ok) queries.push(query.value);
  }
  return queries;
}

/**
 * What `resolveRecipients` answers, as one page, from answers that are at hand; `too_many` when one that is needed is.
 *
 * @param options.answers one for each of `inlineQueries`
 * @throws when an answer is missing
 */
export function combineRecipients(
  parts: readonly RecipientPart[],
  options: AudienceRules & { readonly answers: RecipientAnswers },
): AudiencePage | 'too_many' {
  const { event, answers } = options;
  const audience = new Audience(options);
  for (const part of parts) {
    const failure = audience.isCapped ? undefined : admitAnswer(part, audience, { event, answers });
    if (failure === 'too_many') return failure;
    audience.close(part, failure);
  }
  return audience.takePage();
}

function admitAnswer(
  part: RecipientPart,
  audience: Audience,
  { event, answers }: { event: WorkflowEvent; answers: RecipientAnswers },
): PartFailure | 'too_many' | undefined {
  if (part.compiled.kind === 'custom') throw new Error(`recipient "${part.partId}" is custom: resolve it page by page`);
  const query = recipientQuery(part.compiled, event);
  if (!query.ok) return query.error;
  const answer = answers.get(queryKey(event.tenantId, query.value));
  if (answer === undefined) throw new Error(`recipient "${part.partId}": its query was not answered`);
  if (answer === 'too_many') return answer;
  if (query.value.kind === 'users') audience.admitNamed(part, query.value.ids, answer);
  else audience.admit(part, answer);
  return undefined;
}
