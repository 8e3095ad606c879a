import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { newTenant } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();
const unset = { name: null, address: null, replyTo: null, domains: [] };

describe('TenantService', () => {
  test("a tenant has the deployment's sender until it has its own", async () => {
    const tenant = await newTenant(t);
    const { tenants } = t.tocsin;
    expect(unwrap(await tenants.getSender(tenant))).toEqual(unset);
    unwrap(await tenants.setSenderDomains(tenant, ['Acme.EXAMPLE', 'bücher.example', 'acme.example']));
    const sender = { name: 'Acme GmbH', address: 'orders@Bücher.example', replyTo: 'help@elsewhere.example' };
    const domains = ['acme.example', 'xn--bcher-kva.example'];
    expect(unwrap(await tenants.setSender(tenant, sender))).toEqual({ ...sender, domains });
    expect(unwrap(await tenants.getSender(tenant))).toEqual({ ...sender, domains });
    expect(unwrap(await tenants.setSender(tenant, {}))).toEqual({ ...unset, domains });
  });

  test('an address of a domain that the operator did not allow is refused, and changes nothing', async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    const { tenants } = t.tocsin;
    unwrap(await tenants.setSenderDomains(tenant, ['acme.example']));
    for (const address of ['x@evil.example', 'x@mail.acme.example', 'x@acme.example.evil.example', 'x@example']) {
      const refused = await tenants.setSender(tenant, { address });
      expect(refused).toMatchObject({ ok: false, error: { code: 'not_allowed' } });
      expect(refused.ok ? '' : refused.error.message).toContain('it may send from acme.example');
    }
    expect(await tenants.setSender(other, { address: 'x@acme.example' })).toMatchObject({
      error: { code: 'not_allowed' },
    });
    expect(unwrap(await tenants.getSender(tenant))).toEqual({ ...unset, domains: ['acme.example'] });
  });

  test.each([
    { name: 'boss@bank.example' },
    { name: 'boss＠bank.example' },
    { name: 'Bank\u202e' },
    { name: 'B\u200bank' },
    { name: 'Bank\r\nBcc: evil@evil.example' },
    { name: 'Bank <x>' },
    { name: '=?utf-8?q?boss=40bank.example?=' },
    { name: '' },
    { name: 'x'.repeat(101) },
    { address: 'x@acme.example, evil@evil.example' },
    { address: 'Acme <x@acme.example>' },
    { replyTo: 'nobody' },
    { domains: ['acme.example'] },
  ])('refuses %j as not valid', async (input) => {
    expect(await t.tocsin.tenants.setSender('acme', input as never)).toMatchObject({ error: { code: 'invalid' } });
  });

  test.each([['not a domain'], ['x@acme.example'], ['acme.example\r\n'], [''], ['*.example'], ['127.0.0.1']])(
    'does not let a tenant send from %j',
    async (domain) => {
      const refused = await t.tocsin.tenants.setSenderDomains('acme', [domain]);
      expect(refused).toMatchObject({ ok: false, error: { code: 'invalid' } });
    },
  );

  test('leaves the other settings of a tenant as they are', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.retention.setRetention(tenant, 365));
    unwrap(await t.tocsin.tenants.setSenderDomains(tenant, ['acme.example']));
    unwrap(await t.tocsin.tenants.setSender(tenant, { name: 'Acme' }));
    expect(unwrap(await t.tocsin.retention.getRetention(tenant)).days).toBe(365);
  });
});
