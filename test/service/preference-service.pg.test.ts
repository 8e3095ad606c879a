import { describe, expect, test } from 'vitest';
import type { Page } from '../../src/model/page.ts';
import type { Preference } from '../../src/model/preference.ts';
import { unwrap } from '../../src/model/result.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();
const foreignId = '01931b2a-7c00-7000-8000-00000000000e';

describe('PreferenceService', () => {
  test('keeps what a person said last, by channel and workflow', async () => {
    const tenant = await newTenant(t);
    const workflowId = await t.publish(tenant, orderWorkflow({}));
    const { preferences } = t.tocsin;
    const said = await preferences.setPreference(tenant, { userId: 'ann', channel: 'email', muted: true });
    expect(unwrap(said)).toMatchObject({
      userId: 'ann',
      channel: 'email',
      workflowId: null,
      muted: true,
      source: 'host',
    });
    unwrap(await preferences.setPreference(tenant, { userId: 'ann', channel: 'email', workflowId, muted: true }));
    unwrap(await preferences.unmute(tenant, { userId: 'ann', channel: 'email', workflowId }));
    expect(unwrap(await preferences.getPreferences(tenant, 'ann'))).toMatchObject([
      { workflowId: null, muted: true },
      { workflowId, muted: false },
    ]);
    expect(unwrap(await preferences.getPreferences(tenant, 'ben'))).toEqual([]);
    expect(unwrap(await preferences.getPreferences(tenant, 'a\0'))).toEqual([]);
  });

  test.each([
    [{ userId: 'ann', channel: 'emial', muted: true }, 'channel: unknown channel "emial": did you mean "email"?'],
    [{ userId: '', channel: 'email', muted: true }, 'userId'],
    [{ userId: 'a\0', channel: 'email', muted: true }, 'userId'],
    [{ userId: 'ann', channel: 'email', muted: 'yes' }, 'muted'],
    [{ userId: 'ann', channel: 'email', muted: true, workflow: 'x' }, 'unknown field "workflow"'],
  ])('refuses %j', async (input, message) => {
    const refused = await t.tocsin.preferences.setPreference('acme', input as never);
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid' } });
    expect(refused.ok ? '' : refused.error.message).toContain(message);
  });

  test('knows no workflow of another tenant', async () => {
    const [own, other] = [await newTenant(t), await newTenant(t)];
    const theirs = await t.publish(other, orderWorkflow({}));
    for (const workflowId of [theirs, foreignId, 'nonsense']) {
      const said = { userId: 'ann', channel: 'email', workflowId, muted: true };
      expect(await t.tocsin.preferences.setPreference(own, said)).toMatchObject({ error: { code: 'not_found' } });
    }
  });

  test('lists page by page, one tenant only', async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    const { preferences } = t.tocsin;
    for (const [of, userId, channel] of [
      [tenant, 'u1', 'email'],
      [tenant, 'u1', 'notification'],
      [tenant, 'u2', 'email'],
      [other, 'u0', 'email'],
    ] as const) {
      unwrap(await preferences.setPreference(of, { userId, channel, muted: true }));
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<Preference> = unwrap(
        await preferences.list(tenant, { limit: 1, ...(cursor === null ? {} : { cursor }) }),
      );
      seen.push(...page.items.map(({ userId, channel }) => `${userId} ${channel}`));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(['u1 email', 'u1 notification', 'u2 email']);
    expect(unwrap(await preferences.list(tenant, { channel: 'email' })).items).toHaveLength(2);
    expect(unwrap(await preferences.list(tenant, { userId: 'u2' })).items).toHaveLength(1);
    const wrong = Buffer.from('["a"]').toString('base64url');
    for (const cursor of ['nonsense', wrong]) {
      expect(await preferences.list(tenant, { cursor })).toMatchObject({ ok: false, error: { code: 'invalid' } });
    }
  });

  test("is written in the caller's transaction", async () => {
    const tenant = await newTenant(t);
    const wanted = { userId: 'ann', channel: 'email', muted: true };
    const rolledBack = t.database.transaction(async (tx) => {
      unwrap(await t.tocsin.preferences.setPreference(tenant, wanted, { tx }));
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(unwrap(await t.tocsin.preferences.getPreferences(tenant, 'ann'))).toEqual([]);
  });
});
