import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { EndpointService } from '../../src/service/endpoint-service.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

async function given(
  tenant: string,
  origin: string,
  state = 'open',
  retryAt: string | null = '2030-01-01',
): Promise<void> {
  await db.database.pool.query(
    `insert into tocsin.endpoints (tenant_id, origin, state, failures, last_reason, opened_at, retry_at)
     values ($1, $2, $3, 12, 'timeout', '2026-11-21', $4)`,
    [tenant, origin, state, retryAt],
  );
}

describe('EndpointService', () => {
  test('lists the endpoints of a tenant that fail, by origin and in pages, with what becomes of them', async () => {
    const endpoints = new EndpointService({ database: db.database });
    await given('list', 'https://a.example', 'closed', null);
    await given('list', 'https://b.example');
    await given('list', 'https://c.example', 'half_open');
    await given('list', 'https://d.example', 'open', null);
    await given('other', 'https://a.example');
    const first = unwrap(await endpoints.listEndpoints('list', { limit: 3 }));
    expect(first.items.map(({ origin, status }) => `${origin} ${status}`)).toEqual([
      'https://a.example failing',
      'https://b.example paused',
      'https://c.example trying',
    ]);
    const next = unwrap(await endpoints.listEndpoints('list', { cursor: first.nextCursor ?? '' }));
    expect(next).toMatchObject({ items: [{ origin: 'https://d.example', status: 'disabled' }], nextCursor: null });
    expect(await endpoints.listEndpoints('list', { limit: 0 })).toMatchObject({ error: { code: 'invalid' } });
  });

  test('shows one, and answers not_found with the nearest for one that does not fail', async () => {
    const endpoints = new EndpointService({ database: db.database });
    await given('get', 'https://hooks.example');
    expect(unwrap(await endpoints.getEndpoint('get', 'https://hooks.example'))).toEqual({
      origin: 'https://hooks.example',
      status: 'paused',
      failures: 12,
      lastReason: 'timeout',
      pausedAt: expect.any(Date),
      retryAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(await endpoints.getEndpoint('get', 'https://hook.example')).toMatchObject({
      error: {
        code: 'not_found',
        message: 'no endpoint "https://hook.example" fails or is paused: did you mean "https://hooks.example"?',
      },
    });
    expect(await endpoints.getEndpoint('nobody', 'https://hooks.example')).toMatchObject({
      error: {
        code: 'not_found',
        message: 'no endpoint "https://hooks.example" fails or is paused: list endpoints to see which do',
      },
    });
  });

  test('resumes one of the tenant once, also in the transaction of the caller', async () => {
    const endpoints = new EndpointService({ database: db.database });
    await given('resume', 'https://hooks.example');
    expect(await endpoints.resumeEndpoint('other', 'https://hooks.example')).toMatchObject({ ok: false });
    const work = db.database.transaction(async (tx) => {
      unwrap(await endpoints.resumeEndpoint('resume', 'https://hooks.example', { tx }));
      throw new Error('back');
    });
    await expect(work).rejects.toThrow('back');
    expect(await endpoints.resumeEndpoint('resume', 'https://hooks.example\0')).toMatchObject({ ok: false });
    expect(await endpoints.resumeEndpoint('resume', 'https://hooks.example')).toEqual({ ok: true, value: null });
    expect(await endpoints.resumeEndpoint('resume', 'https://hooks.example')).toMatchObject({
      error: { code: 'not_found' },
    });
  });
});
