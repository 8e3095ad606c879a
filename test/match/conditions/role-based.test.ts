import { describe, expect, test } from 'vitest';
import { compile, refusals, servicesOf, subjectOf } from '../compile.ts';

const services = servicesOf({
  rolesOf: async (tenantId, userId) => (tenantId === 'acme' && userId === 'ann' ? ['admin', 'sales'] : []),
});

const byRole = (settings: object) => compile({ type: 'role_based', user_field: 'owner', ...settings });
const owned = (owner: string | number | boolean | null) => subjectOf({ payload: { owner } });

describe('roleBasedCondition', () => {
  test('is decided by the roles of the user that the field names', async () => {
    const admin = byRole({ required_role: 'admin' });
    expect(admin.test(owned('ann'))).toBe('deferred');
    expect(admin.trace(owned('ann'))).toMatchObject({ result: 'deferred', expected: 'owner has admin' });
    expect(await admin.evaluate(owned('ann'), services)).toEqual({
      type: 'role_based',
      result: true,
      expected: 'owner has admin',
      actual: '["admin","sales"]',
    });
    expect(await admin.evaluate(owned(17), services)).toMatchObject({ result: false, actual: '[]' });
  });

  test('asks for one of several roles, or for all', async () => {
    const roles = ['sales', 'legal'];
    expect(await byRole({ required_role: roles }).evaluate(owned('ann'), services)).toMatchObject({ result: true });
    const all = byRole({ required_role: roles, match: 'all' });
    expect(await all.evaluate(owned('ann'), services)).toMatchObject({
      result: false,
      expected: 'owner has all of sales, legal',
    });
  });

  test('cannot be decided when nobody is named, so that its opposite is not true either', async () => {
    const stranger = compile({
      type: 'composite',
      not: { type: 'role_based', user_field: 'owner', required_role: 'admin' },
    });
    for (const owner of [null, '', true, 1.5]) {
      expect(stranger.test(owned(owner))).toBe('error');
      expect(await stranger.evaluate(owned(owner), services)).toMatchObject({ result: 'error' });
    }
    expect(byRole({ user_field: 'ownr', required_role: 'admin' }).trace(owned('ann')).error).toBe(
      'the field "ownr" is not there',
    );
  });

  test('cannot be decided when the directory fails', async () => {
    expect(await byRole({ required_role: 'admin' }).evaluate(owned('ann'), servicesOf())).toMatchObject({
      result: 'error',
      error: 'nobody asked for roles',
    });
  });

  test('refuses what names no user or no role', () => {
    expect(refusals({ type: 'role_based', user_field: '.a', required_role: 'x' })[0]).toMatch(/not a field path/);
    expect(refusals({ type: 'role_based', user_field: 'a', required_role: [] })[0]).toMatch(/required_role: /);
    expect(refusals({ type: 'role_based', userField: 'a', required_role: 'x' }).join()).toMatch(
      /did you mean "user_field"/,
    );
  });
});
