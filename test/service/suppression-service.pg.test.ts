import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { newTenant } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();

describe('SuppressionService', () => {
  test('adds, lists and removes an address, however it is written', async () => {
    const tenant = await newTenant(t);
    const { suppressions } = t.tocsin;
    const detail = 'asked us by phone';
    expect(unwrap(await suppressions.add(tenant, { address: 'Ada@BÜCHER.example', detail }))).toMatchObject({
      address: 'ada@xn--bcher-kva.example',
      reason: 'host',
      detail,
    });
    unwrap(await suppressions.add(tenant, { address: 'ada@bücher.example', reason: 'complaint' }));
    unwrap(await suppressions.add(tenant, { address: 'ben@example.com' }));
    const { items } = unwrap(await suppressions.list(tenant));
    expect(items.map(({ address, reason }) => [address, reason])).toEqual([
      ['ada@xn--bcher-kva.example', 'complaint'],
      ['ben@example.com', 'host'],
    ]);
    expect(unwrap(await suppressions.list(tenant, { reason: 'host' })).items).toHaveLength(1);
    expect(unwrap(await suppressions.list(tenant, { address: 'ADA@bücher.example' })).items).toHaveLength(1);
    unwrap(await suppressions.remove(tenant, 'ADA@bücher.example'));
    expect(await suppressions.remove(tenant, 'ada@bücher.example')).toMatchObject({ error: { code: 'not_found' } });
    expect(await suppressions.remove(tenant, 'nonsense\0')).toMatchObject({ error: { code: 'not_found' } });
  });

  test('is of one tenant, page by page', async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    const { suppressions } = t.tocsin;
    for (const name of ['a', 'b', 'c']) unwrap(await suppressions.add(tenant, { address: `${name}@x.example` }));
    expect(unwrap(await suppressions.list(other)).items).toEqual([]);
    expect(await suppressions.remove(other, 'a@x.example')).toMatchObject({ error: { code: 'not_found' } });
    const first = unwrap(await suppressions.list(tenant, { limit: 2 }));
    const cursor = first.nextCursor ?? '';
    const second = unwrap(await suppressions.list(tenant, { limit: 2, cursor }));
    expect([...first.items, ...second.items].map(({ address }) => address[0])).toEqual(['a', 'b', 'c']);
    expect(second.nextCursor).toBeNull();
  });

  test.each([
    { address: 'ada@example.com, evil@example.com' },
    { address: 'ada' },
    { address: 'ada@example.com', reason: 'mood' },
    { address: 'ada@example.com', detail: '\0' },
  ])('refuses %j', async (input) => {
    expect(await t.tocsin.suppressions.add('acme', input as never)).toMatchObject({ error: { code: 'invalid' } });
  });
});
