import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const config = fileURLToPath(new URL('ordered.config.ts', import.meta.url));
const t = useTestTocsin();
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
});
afterAll(() => receiver.close());

const entities = 6;
const changes = 20;

describe('`ordering: entity` with several workers', () => {
  test('each entity is told of in the order of its changes, through failures and the end of a worker', {
    timeout: 180_000,
  }, async () => {
    await t.publish('ordered', {
      name: 'in order',
      triggers: [{ entityType: 'order', operation: 'update' }],
      actions: [
        {
          type: 'webhook',
          url: `${receiver.url}/hook`,
          payload: { id: '{{ payload.id }}', note: '{{ payload.note }}' },
          ordering: 'entity',
          retry: { maxAttempts: 20, initialIntervalMs: 50, maxIntervalMs: 100 },
        },
      ],
    });
    await t.sql("insert into orders (tenant_id) select 'ordered' from generate_series(1, $1)", [entities]);
    const args = ['--config', config, '--lanes', '3', '--batch-size', '5'];
    const workers = await Promise.all([1, 2].map(() => WorkerProcess.start(t.url, { args })));
    for (let n = 0; n < 3; n++) receiver.answerNext({ kind: 'answer', status: 503 });
    const writing = Promise.all(
      Array.from({ length: entities }, async (_, index) => {
        for (let change = 1; change <= changes; change++) {
          await t.sql(
            "update orders set note = $2 where id = (select id from orders where tenant_id = 'ordered' order by id offset $1 limit 1)",
            [index, String(change)],
          );
        }
      }),
    );
    await until('some are told', async () => receiver.requests.length > 20, 60_000);
    await workers[0]?.kill();
    await writing;
    await until(
      'all are told',
      async () => {
        const { rows } = await t.sql(
          "select count(*)::int as n from tocsin.deliveries where tenant_id = 'ordered' and status = 'delivered'",
        );
        return rows[0]?.n === entities * changes;
      },
      120_000,
    );
    expect(await workers[1]?.terminate()).toBe(0);

    // What was repeated under its id, because an answer failed or got lost, was so before the next of its entity went out.
    const told = new Map<number, number[]>();
    for (const request of receiver.requests) {
      const { id, note } = JSON.parse(request.body) as { id: number; note: string };
      told.set(id, [...(told.get(id) ?? []), Number(note)]);
    }
    expect(told.size).toBe(entities);
    for (const notes of told.values()) {
      expect(notes).toEqual(notes.toSorted((a, b) => a - b));
      expect(new Set(notes).size).toBe(changes);
    }
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
