import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { WorkflowError } from '../../src/errors.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import type { Attack } from './probe.ts';
import { serviceCases } from './service-cases.ts';
import type { Heard } from './victim.ts';

const t = useTestTocsin({ secretsKey: randomBytes(32).toString('base64') });
const tenantId = 'acme';
beforeAll(() => t.sql("insert into tocsin.directory_users (tenant_id, id) values ($1, 'ann')", [tenantId]));

const hostile: Readonly<Record<string, string>> = {
  'a NUL': 'a\u0000b',
  'half of a surrogate pair': '\ud800',
  'a megabyte': 'x'.repeat(1_000_000),
  'a prototype': '__proto__',
  'more digits than any id': '9'.repeat(400),
  'the end of a statement': `'"; drop table orders; --`,
  'a pattern': '%_\\',
};
const names = Object.keys(hostile);
const refusals = /^(?:invalid|not_found)$/;

/** Calls a method as its attack does, with this for every id and name; answers what was refused, or told. */
async function call(attack: Attack, given: { tenantId: string; word: string }): Promise<unknown> {
  const heard = new Proxy({} as Heard, { get: () => given.word });
  try {
    return await attack({ t, tenantId: given.tenantId, heard, options: {} });
  } catch (error) {
    // What a case could not go on without.
    if (error instanceof WorkflowError) return { ok: false, error };
    throw new Error(`throws what no caller expects: ${error}`, { cause: error });
  }
}

const attacks = Object.entries(serviceCases).flatMap(([name, one]) =>
  one.scope === 'tenant' ? [{ name, attack: one.attack }] : [],
);

describe.each(names)('%s', (what) => {
  const word = hostile[what] as string;

  test.each(attacks)('as every id and name is answered by $name', async ({ attack }) => {
    await call(attack, { tenantId, word });
    const { rows } = await t.sql('select count(*)::int as count from pg_class where relname = $1', ['orders']);
    expect(rows).toEqual([{ count: 1 }]);
  });
});

// What PostgreSQL cannot hold, and what is longer than an index takes: there is no such tenant.
describe.each(names.slice(0, 3))('%s as the tenant', (what) => {
  test.each(attacks)('is told nothing by $name', async ({ attack }) => {
    const answers = [await call(attack, { tenantId: hostile[what] as string, word: 'x' })].flat(3);
    for (const answer of answers) {
      if (answer !== 0) expect(answer).toMatchObject({ ok: false, error: { code: expect.stringMatching(refusals) } });
    }
  });
});
