import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import * as api from '../../src/index.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Tocsin } from '../../src/tocsin.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import type { Case } from './case.ts';
import { dropRowLevelSecurity, makeWorlds, probe, type Worlds } from './probe.ts';
import { serviceCases } from './service-cases.ts';
import { borrowing } from './workflow-cases.ts';

const options = { secretsKey: randomBytes(32).toString('base64') };
const inhabited = useTestTocsin(options);
const empty = useTestTocsin(options);
let worlds: Worlds;
beforeAll(async () => {
  worlds = await makeWorlds(inhabited, empty);
});

/** Every public member of everything that `createTocsin` answers: found, so that one of tomorrow is among them. */
function membersOf(tocsin: Tocsin): string[] {
  return Object.entries(tocsin).flatMap(([name, value]) => {
    if (typeof value === 'function') return [`tocsin.${name}`];
    return namesIn(value).map((member) => `${name}.${member}`);
  });
}

/** What a class declares, and the classes it extends; functions of the object itself. */
function namesIn(value: object): string[] {
  const names = Object.entries(value).flatMap(([name, own]) => (typeof own === 'function' ? [name] : []));
  for (
    let prototype = Object.getPrototypeOf(value) as object;
    prototype !== Object.prototype && prototype !== EventEmitter.prototype;
    prototype = Object.getPrototypeOf(prototype) as object
  ) {
    names.push(...Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor'));
  }
  return names;
}

const attacks = Object.entries(serviceCases).flatMap(([name, one]) =>
  one.scope === 'tenant' || one.scope === 'worker' ? [[name, one] as const] : [],
);
const bound = attacks.filter(
  (named): named is [string, Extract<Case, { scope: 'tenant' }>] => named[1].scope === 'tenant',
);

describe('the services', () => {
  test('have a case for each of their methods, and none for a method that is no more', () => {
    const members = membersOf(inhabited.tocsin);
    const missing = members.filter((name) => !Object.hasOwn(serviceCases, name));
    const stale = Object.keys(serviceCases).filter((name) => !members.includes(name));
    expect(missing, 'methods without a case in service-cases.ts').toEqual([]);
    expect(stale, 'cases in service-cases.ts without a method').toEqual([]);
  });

  test('are all that the package exports', () => {
    const services = Object.values(inhabited.tocsin);
    const others = Object.entries(api).filter(
      ([name, exported]) =>
        name.endsWith('Service') &&
        typeof exported === 'function' &&
        !services.some((service) => service.constructor === exported),
    );
    expect(others.map(([name]) => name)).toEqual([]);
  });

  test('are attacked by a tenant that has heard of something in every table', async () => {
    const { rows } = await inhabited.sql(
      `select attrelid::regclass::text as name
       from pg_attribute
         join pg_class c on c.oid = attrelid
       where relnamespace = 'tocsin'::regnamespace
         and relkind in ('r', 'p')
         and not relispartition
         and attname = 'tenant_id'`,
    );
    expect(rows.length).toBeGreaterThan(15);
    const bare = rows.filter(({ name }) => worlds.rows.get(String(name)) === '');
    expect(bare).toEqual([]);
  });

  test('would let the tenant itself do what the attackers borrow', async () => {
    const { heard } = worlds;
    unwrap(await inhabited.tocsin.workflows.validateWorkflow(heard.tenantId, borrowing(heard, 'borrowing')));
  });

  test.each(attacks)('%s tells and changes nothing of another tenant', async (_name, { attack }) => {
    expect(await probe(worlds, attack)).toEqual([]);
  });
});

describe('row level security alone', () => {
  test.each(bound)('holds in %s when no statement asks for the tenant', async (_name, { attack }) => {
    expect(await probe(worlds, attack, 'row level security')).toEqual([]);
  });
});

describe('without row level security', () => {
  const bareInhabited = useTestTocsin(options);
  const bareEmpty = useTestTocsin(options);
  let bareWorlds: Worlds;
  beforeAll(async () => {
    bareWorlds = await makeWorlds(bareInhabited, bareEmpty);
    for (const t of [bareInhabited, bareEmpty]) await dropRowLevelSecurity(t);
  });

  // First, while no other attacker has written anything.
  test.each(bound.filter(([, { isBlind }]) => isBlind === undefined))(
    'the attack through %s succeeds, or fails loudly, when no statement asks for the tenant either',
    async (_name, { attack }) => {
      const findings = await probe(bareWorlds, attack, 'none').catch((error: Error) => [error.message]);
      expect(findings).not.toEqual([]);
    },
  );

  test.each(attacks)('the conditions of the statements of %s hold', async (_name, { attack }) => {
    expect(await probe(bareWorlds, attack, 'conditions')).toEqual([]);
  });
});
