import { setTimeout as wait } from 'node:timers/promises';
import type { Comparison, Figures, Round } from './benchmark.ts';
import type { ScratchDatabase } from './scratch-server.ts';
import { quantile } from './statistics.ts';

/** Between two orders, so that none meets what the one before left to do, ms. */
const pauseMs = { least: 2, most: 8 };

/** Sends one order and waits until whoever is to know of it does, ms from the sending. */
export type OrderSenders = {
  /** Into a table whose trigger sends the id in a NOTIFY. */
  readonly listened: () => Promise<{ acknowledged: number; heard: number }>;
  /** Into a captured table. */
  readonly captured: () => Promise<{ handled: number; committed: number }>;
};

const variants = {
  acknowledged: 'commit acknowledged',
  heard: 'raw LISTEN',
  handled: 'Tocsin: match stage has the event',
  committed: 'Tocsin: notification committed',
} as const;

const handled = { claim: 'commit to match handler', variant: variants.handled, peer: variants.heard };
const visible = { claim: 'commit to notification', variant: variants.committed, peer: variants.heard };

/** What is compared, and the targets. */
export const latencyComparisons: readonly Comparison[] = [
  { ...handled, figure: 'p50 ms', target: { atMost: 1.5 } },
  { ...handled, figure: 'p99 ms', target: { atMost: 1.3 } },
  { ...visible, figure: 'p50 ms', target: { atMost: 4 } },
  { ...visible, figure: 'p99 ms', target: { atMost: 3 } },
];

/** The settings of a run, as they are printed. */
export function latencySettings(samples: number): Record<string, string | number> {
  return { 'orders per round': samples, 'pause ms': `${pauseMs.least}-${pauseMs.most}` };
}

/** Sends orders one at a time, both ways in turn. */
export async function measureLatencies(senders: OrderSenders, samples: number): Promise<Round> {
  const ms = { acknowledged: [], heard: [], handled: [], committed: [] } as Record<keyof typeof variants, number[]>;
  for (let sample = 0; sample < samples; sample++) {
    for (const send of [senders.listened, senders.captured]) {
      for (const [moment, took] of Object.entries(await send())) ms[moment as keyof typeof variants].push(took);
      await wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
    }
  }
  return Object.fromEntries(
    Object.entries(variants).map(([key, variant]) => [variant, percentiles(ms[key as keyof typeof variants])]),
  );
}

/** What is wrong, if not every captured order has one notification. */
export async function wrongNotifications({ database }: ScratchDatabase): Promise<string[]> {
  const { rows } = await database.pool.query<{ orders: number; told: number }>(
    `select (select count(*)::int from public.orders) as orders, (select count(*)::int from tocsin.notifications) as told`,
  );
  const { orders = 0, told = -1 } = rows[0] ?? {};
  return orders === told ? [] : [`${orders} orders came to ${told} notifications`];
}

function percentiles(ms: readonly number[]): Figures {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99) };
}
