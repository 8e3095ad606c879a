import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AudiencePage, RecipientPart } from '../../src/execute/audience.ts';
import type { CompiledRecipient } from '../../src/execute/recipient.ts';
import {
  combineRecipients,
  inlineQueries,
  type ResolveOptions,
  resolveRecipients,
} from '../../src/execute/resolve-recipients.ts';
import { type Directory, queryKey, type Recipient, type RecipientQuery } from '../../src/model/recipient.ts';
import { err, ok } from '../../src/model/result.ts';
import type { Person } from '../support/directory-contract.ts';
import { memoryDirectory, sampleUser } from '../support/memory-directory.ts';
import { sampleEvent } from '../support/sample-event.ts';

const people: readonly Person[] = [
  { tenantId: 'acme', user: sampleUser('ann'), roles: ['admin', 'sales'] },
  { tenantId: 'acme', user: sampleUser('bob'), roles: ['sales'] },
  { tenantId: 'acme', user: sampleUser('cid', { active: false }), roles: ['sales', 'gone'] },
  { tenantId: 'acme', user: sampleUser('dan'), roles: ['sales'], groups: ['night'] },
  { tenantId: 'globex', user: sampleUser('eve'), roles: ['sales'] },
];

const asking = (partId: string, query: RecipientQuery): RecipientPart =>
  partOf(partId, { kind: 'query', query: () => ok(query), reads: [] });
const refusing = (partId: string, reason: string): RecipientPart =>
  partOf(partId, { kind: 'query', query: () => err(reason), reads: [] });
const custom = (partId: string, resolve: Extract<CompiledRecipient, { kind: 'custom' }>['resolve']): RecipientPart =>
  partOf(partId, { kind: 'custom', resolve, reads: [] });

function partOf(partId: string, compiled: CompiledRecipient): RecipientPart {
  return { partId, type: 'any', compiled };
}

const users = (...ids: string[]): RecipientQuery => ({ kind: 'users', ids });
const role = (name: string): RecipientQuery => ({ kind: 'role', name });

const defaults: ResolveOptions = {
  event: sampleEvent(),
  directory: memoryDirectory(people),
  excludeActor: false,
  maxRecipients: 1000,
  pageSize: 100,
  timeoutMs: 5_000,
  signal: new AbortController().signal,
};

async function pagesOf(
  parts: readonly RecipientPart[],
  options: Partial<ResolveOptions> = {},
): Promise<AudiencePage[]> {
  const pages: AudiencePage[] = [];
  for await (const page of resolveRecipients(parts, { ...defaults, ...options })) pages.push(page);
  return pages;
}

async function resolve(parts: readonly RecipientPart[], options: Partial<ResolveOptions> = {}) {
  return together(await pagesOf(parts, options));
}

function together(pages: readonly AudiencePage[]) {
  return {
    told: pages.flatMap((page) => page.recipients.map((user) => user.id)),
    leftOut: pages.flatMap((page) => page.leftOut),
    traces: pages.flatMap((page) => page.traces),
  };
}

describe('resolveRecipients', () => {
  test('tells everyone the parts name, each once, and traces what each part came to', async () => {
    const parts = [asking('p1', role('sales')), asking('p2', role('admin')), asking('p3', users('dan', 'ann'))];
    expect(await resolve(parts)).toEqual({
      told: ['ann', 'bob', 'dan'],
      leftOut: [{ recipientId: 'cid', partId: 'p1', reason: 'recipient_inactive' }],
      traces: [
        { partId: 'p1', type: 'any', resolved: 4 },
        { partId: 'p2', type: 'any', resolved: 1 },
        { partId: 'p3', type: 'any', resolved: 2 },
      ],
    });
  });

  test('answers one empty page when there are no parts', async () => {
    expect(await pagesOf([])).toEqual([{ recipients: [], leftOut: [], traces: [] }]);
  });

  test('names ids the directory does not know, among them those of other tenants', async () => {
    expect(await resolve([asking('p1', users('eve', 'ann'))])).toMatchObject({
      told: ['ann'],
      leftOut: [{ recipientId: 'eve', partId: 'p1', reason: 'recipient_unknown' }],
    });
  });

  test('tells nobody when a part comes to nobody, and says so', async () => {
    const parts = [asking('p1', role('nobody')), refusing('p2', 'field_missing'), asking('p3', users('zed'))];
    expect(await resolve(parts)).toMatchObject({
      told: [],
      traces: [
        { partId: 'p1', resolved: 0, reason: 'resolved_to_nobody' },
        { partId: 'p2', resolved: 0, reason: 'field_missing' },
        { partId: 'p3', resolved: 0, reason: 'resolved_to_nobody' },
      ],
    });
  });

  test('leaves out the actor only when asked to', async () => {
    const event = sampleEvent({ actor: 'bob' });
    expect(await resolve([asking('p1', role('sales'))], { event })).toMatchObject({ told: ['ann', 'bob', 'dan'] });
    const without = await resolve([asking('p1', role('sales'))], { event, excludeActor: true });
    expect(without.told).toEqual(['ann', 'dan']);
    expect(without.leftOut).toContainEqual({ recipientId: 'bob', partId: 'p1', reason: 'actor_excluded' });
  });

  test('stops at the cap and says so, and only when somebody is left out by it', async () => {
    const parts = [asking('p1', role('sales')), asking('p2', users('ann', 'bob')), refusing('p3', 'field_missing')];
    expect(await resolve(parts, { maxRecipients: 3 })).toMatchObject({
      told: ['ann', 'bob', 'dan'],
      traces: [{ resolved: 4 }, { resolved: 2 }, { reason: 'field_missing' }],
    });
    expect(await resolve(parts, { maxRecipients: 2 })).toMatchObject({
      told: ['ann', 'bob'],
      traces: [
        { partId: 'p1', resolved: 3, reason: 'fanout_capped' },
        { partId: 'p2', resolved: 0, reason: 'fanout_capped' },
        { partId: 'p3', resolved: 0, reason: 'fanout_capped' },
      ],
    });
  });

  test('does not ask the directory for more than one page beyond the cap', async () => {
    const crowd = Array.from({ length: 1000 }, (_, i) => `u${String(i).padStart(4, '0')}`);
    const asked: number[] = [];
    const all = memoryDirectory(crowd.map((id) => ({ tenantId: 'acme', user: sampleUser(id), roles: ['all'] })));
    const directory: Directory = {
      ...all,
      find: (tenantId, query, page) => {
        asked.push(page.limit);
        return all.find(tenantId, query, page);
      },
    };
    const { told } = await resolve([asking('p1', role('all'))], { directory, maxRecipients: 25, pageSize: 10 });
    expect(told).toEqual(crowd.slice(0, 25));
    expect(asked).toEqual([10, 10, 10]);
  });

  test('gathers small parts into pages, and no page grows beyond two of the directory', async () => {
    const crowd = Array.from({ length: 95 }, (_, i) => `u${String(i).padStart(2, '0')}`);
    const directory = memoryDirectory(
      crowd.map((id) => ({ tenantId: 'acme', user: sampleUser(id, { active: !id.endsWith('7') }), roles: ['all'] })),
    );
    const parts = [...crowd.slice(0, 15).map((id) => asking(id, users(id))), asking('all', role('all'))];
    const pages = await pagesOf(parts, { directory, pageSize: 10 });
    const lengths = pages.map((page) => page.recipients.length + page.leftOut.length);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(95);
    expect(Math.max(...lengths)).toBeLessThan(20);
    expect(lengths.slice(0, -1).every((length) => length >= 10)).toBe(true);
  });

  test('lets nobody in through a directory that rejects, and asks on for the other parts', async () => {
    const directory: Directory = {
      ...defaults.directory,
      find: (tenantId, query, page) =>
        query.kind === 'role'
          ? Promise.reject(new Error('the directory is down'))
          : defaults.directory.find(tenantId, query, page),
    };
    const parts = [asking('p1', role('sales')), asking('p2', users('ann'))];
    expect(await resolve(parts, { directory })).toEqual({
      told: ['ann'],
      leftOut: [],
      traces: [
        { partId: 'p1', type: 'any', resolved: 0, reason: 'resolver_failed', error: 'the directory is down' },
        { partId: 'p2', type: 'any', resolved: 1 },
      ],
    });
  });

  test('keeps the pages that came before a directory failed', async () => {
    let calls = 0;
    const directory: Directory = {
      ...defaults.directory,
      find: (tenantId, query, page) =>
        ++calls > 1 ? Promise.reject(new Error('gone')) : defaults.directory.find(tenantId, query, page),
    };
    expect(await resolve([asking('p1', role('sales'))], { directory, pageSize: 2 })).toMatchObject({
      told: ['ann', 'bob'],
      traces: [{ partId: 'p1', resolved: 2, reason: 'resolver_failed', error: 'gone' }],
    });
  });

  test('ends with a directory that hangs, is endless, or does not answer users', async () => {
    const failing = async (find: () => unknown, options: Partial<ResolveOptions> = {}) => {
      const directory = { ...defaults.directory, find } as unknown as Directory;
      return (await resolve([asking('p1', role('sales'))], { directory, pageSize: 2, ...options })).traces[0];
    };
    expect(await failing(() => new Promise(() => undefined), { timeoutMs: 20 })).toMatchObject({
      reason: 'resolver_failed',
      error: 'the directory took longer than 20 ms',
    });
    expect(await failing(async () => [sampleUser('ann'), sampleUser('bob')])).toMatchObject({
      resolved: 4,
      reason: 'resolver_failed',
      error: expect.stringContaining('up to user "bob" when asked for those after "bob"'),
    });
    expect(await failing(async () => ({ rows: [] }))).toMatchObject({ reason: 'resolver_failed' });
    expect(
      await failing(() => {
        throw new Error('not even a promise');
      }),
    ).toMatchObject({ reason: 'resolver_failed', error: 'not even a promise' });
  });

  test('leaves out users whose data cannot be stored, by a reason of their own, and tells the others', async () => {
    const odd = [
      sampleUser('nul \u0000'),
      sampleUser('half \ud800'),
      sampleUser('named', { name: 'Bo\u0000b' }),
      sampleUser('rich', { attributes: { team: ['\u0000'] } }),
      sampleUser('zoe'),
    ];
    const directory = memoryDirectory(odd.map((user) => ({ tenantId: 'acme', user, roles: ['sales'] })));
    const { told, leftOut } = await resolve([asking('p1', role('sales'))], { directory });
    expect(told).toEqual(['zoe']);
    expect(leftOut.map(({ recipientId, reason }) => `${recipientId} ${reason}`).toSorted()).toEqual([
      'half \uFFFD recipient_unstorable',
      'named recipient_unstorable',
      'nul \uFFFD recipient_unstorable',
      'rich recipient_unstorable',
    ]);
  });

  test('leaves out only one of those whose ids come to the same text, and none who is told by that id', async () => {
    const odd = [
      sampleUser('half \ud800'),
      sampleUser('nul \u0000'),
      sampleUser('nul \ud800'),
      sampleUser('half \uFFFD'),
    ];
    const directory = memoryDirectory(odd.map((user) => ({ tenantId: 'acme', user, roles: ['sales'] })));
    const told = asking('p1', users('half \uFFFD'));
    const { told: ids, leftOut } = await resolve([told, asking('p2', role('sales'))], { directory });
    expect(ids).toEqual(['half \uFFFD']);
    expect(leftOut.map(({ recipientId }) => recipientId)).toEqual(['nul \uFFFD']);
  });

  test('runs custom resolvers and looks their ids up in the directory', async () => {
    const part = custom('p1', async ({ event, tenantId }) => [`${event.payload === null}`, 'ann', tenantId, 'ann']);
    expect(await resolve([part])).toMatchObject({
      told: ['ann'],
      leftOut: [
        { recipientId: 'false', reason: 'recipient_unknown' },
        { recipientId: 'acme', reason: 'recipient_unknown' },
      ],
      traces: [{ partId: 'p1', resolved: 1 }],
    });
  });

  test.each<[string, () => unknown, string]>([
    ['rejects', () => Promise.reject(new Error('no on-call plan')), 'no on-call plan'],
    [
      'throws',
      () => {
        throw new Error('at once');
      },
      'at once',
    ],
    ['answers no list', async () => 'ann', 'did not answer a list of user ids'],
    ['answers what is no id', async () => ['ann', 7], 'answered 7, not a user id'],
    ['hangs', () => new Promise(() => undefined), 'the resolver "any" took longer than 30 ms'],
  ])('tells nobody through a custom resolver that %s', async (_what, answer, error) => {
    const part = custom('p1', answer as never);
    expect(await resolve([part, asking('p2', users('bob'))], { timeoutMs: 30 })).toMatchObject({
      told: ['bob'],
      leftOut: [],
      traces: [{ partId: 'p1', resolved: 0, reason: 'resolver_failed', error: expect.stringContaining(error) }, {}],
    });
  });

  test('aborts the signal of a resolver whose time is up', async () => {
    let signal: AbortSignal | undefined;
    const part = custom('p1', (context) => {
      signal = context.signal;
      return new Promise(() => undefined);
    });
    await resolve([part], { timeoutMs: 20 });
    expect(signal?.aborted).toBe(true);
  });

  test('throws instead of deciding when the work as a whole is stopped', async () => {
    const stopping = new AbortController();
    const part = custom('p1', async () => {
      stopping.abort(new Error('the worker stops'));
      return new Promise(() => undefined);
    });
    await expect(resolve([part], { signal: stopping.signal })).rejects.toThrow('the worker stops');
    await expect(resolve([asking('p1', role('sales'))], { signal: stopping.signal })).rejects.toThrow(
      'the worker stops',
    );
  });
});

describe('inlineQueries', () => {
  test('answers what the directory must be asked, without the parts that name nobody', () => {
    const parts = [asking('p1', role('sales')), refusing('p2', 'field_missing'), asking('p3', users('ann'))];
    expect(inlineQueries(parts, sampleEvent())).toEqual([role('sales'), users('ann')]);
  });

  test('answers null when a part is custom', () => {
    expect(inlineQueries([asking('p1', role('sales')), custom('p2', async () => [])], sampleEvent())).toBeNull();
  });
});

/** Answers to the queries of these parts, as a directory that answers batches has them. */
async function answersTo(parts: readonly RecipientPart[], directory: Directory) {
  const answers = new Map<string, readonly Recipient[] | 'too_many'>();
  for (const query of inlineQueries(parts, defaults.event) ?? []) {
    answers.set(queryKey('acme', query), await directory.find('acme', query, { after: null, limit: 10_000 }));
  }
  return answers;
}

describe('combineRecipients', () => {
  test('refuses when an answer that it needs is too large', async () => {
    const parts = [asking('p1', users('ann', 'bob')), asking('p2', role('sales'))];
    const answers = await answersTo(parts, defaults.directory);
    answers.set(queryKey('acme', role('sales')), 'too_many');
    expect(combineRecipients(parts, { ...defaults, answers })).toBe('too_many');
    expect(combineRecipients(parts, { ...defaults, answers, maxRecipients: 1 })).toMatchObject({
      recipients: [{ id: 'ann' }],
    });
  });

  test('throws when a query was not answered', () => {
    const parts = [asking('p1', role('sales'))];
    expect(() => combineRecipients(parts, { ...defaults, answers: new Map() })).toThrow('was not answered');
  });

  test('traces a part whose query throws, and tells nobody through it', () => {
    const part = partOf('p1', {
      kind: 'query',
      query: () => {
        throw new Error('not pure');
      },
      reads: [],
    });
    expect(combineRecipients([part], { ...defaults, answers: new Map() })).toEqual({
      recipients: [],
      leftOut: [],
      traces: [{ partId: 'p1', type: 'any', resolved: 0, reason: 'resolver_failed', error: 'not pure' }],
    });
  });

  test('answers what resolveRecipients answers, whatever the parts, the people and the size of pages', async () => {
    const id = fc.integer({ min: 0, max: 30 }).map((n) => `u${n}`);
    const name = fc.constantFrom('a', 'b', 'c');
    const person = fc.record({ id, active: fc.boolean(), roles: fc.uniqueArray(name), groups: fc.uniqueArray(name) });
    const part = fc.oneof(
      fc.uniqueArray(id, { maxLength: 8 }).map((ids) => asking('users', users(...ids))),
      name.map((role) => asking('role', { kind: 'role', name: role })),
      name.map((group) => asking('group', { kind: 'group', name: group })),
      fc.constant(refusing('field', 'field_missing')),
    );
    const given = fc.record({
      people: fc.uniqueArray(person, { selector: (each) => each.id, maxLength: 25 }),
      parts: fc.array(part, { maxLength: 5 }),
      pageSize: fc.integer({ min: 1, max: 6 }),
      maxRecipients: fc.integer({ min: 1, max: 30 }),
      excludeActor: fc.boolean(),
      actor: id,
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ people, parts, pageSize, maxRecipients, excludeActor, actor }) => {
        const directory = memoryDirectory(
          people.map(({ id, active, ...memberships }) => ({
            tenantId: 'acme',
            user: sampleUser(id, { active }),
            ...memberships,
          })),
        );
        const options = {
          ...defaults,
          directory,
          pageSize,
          maxRecipients,
          excludeActor,
          event: sampleEvent({ actor }),
        };
        const pages = await pagesOf(parts, options);
        const combined = combineRecipients(parts, { ...options, answers: await answersTo(parts, directory) });
        expect(combined === 'too_many' ? combined : together([combined])).toEqual(together(pages));
        const { told } = together(pages);
        expect(new Set(told).size).toBe(told.length);
        expect(told.length).toBeLessThanOrEqual(maxRecipients);
        expect(told.every((id) => people.some((each) => each.id === id && each.active))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
