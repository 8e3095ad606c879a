import { setTimeout as wait } from 'node:timers/promises';
import type { SmtpFailure } from '../../src/testing/smtp-receiver.ts';
import type { WebhookBehaviour } from '../../src/testing/webhook-receiver.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { assertOwnServer } from './assert-own-server.ts';
import type { ChaosWorld } from './chaos-world.ts';
import type { Random } from './random.ts';

/** A fault: it is done and, if it lasts, healed when the promise resolves. */
export type Fault = { readonly name: string; readonly run: (world: ChaosWorld, random: Random) => Promise<void> };

/** Processes that die. */
const processFaults: readonly Fault[] = [
  {
    name: 'worker killed (SIGKILL)',
    run: async ({ workers }, random) => {
      const place = random.between(0, workers.size - 1);
      await workers.kill(place);
      await wait(random.between(0, 500));
      workers.revive(place);
    },
  },
  {
    name: 'worker stopped (SIGTERM)',
    run: async ({ workers }, random) => {
      const place = random.between(0, workers.size - 1);
      await workers.terminate(place);
      workers.revive(place);
    },
  },
  {
    name: 'PostgreSQL killed (SIGKILL)',
    run: async ({ cluster }, random) => {
      await assertOwnServer(cluster.url(), cluster.dataDir);
      await cluster.kill();
      await wait(random.between(0, 1_500));
      await cluster.start();
    },
  },
];

/** Something on the way between the writers, or one worker, and the database. */
const networkFaults: readonly Fault[] = [
  onTheWay('connections cut', async (proxy) => proxy.cut()),
  onTheWay('connections reset', async (proxy) => proxy.reset()),
  onTheWay('server silent', (proxy, random) => hung(proxy, 'to-client', random)),
  onTheWay('client silent', (proxy, random) => hung(proxy, 'to-server', random)),
  onTheWay('network gone', (proxy, random) => hung(proxy, 'both', random)),
  onTheWay('network slow', async (proxy, random) => {
    proxy.slow(random.between(5, 100));
    await wait(random.between(500, 3_000));
    proxy.heal();
  }),
];

function onTheWay(name: string, run: (proxy: FaultProxy, random: Random) => Promise<void>): Fault {
  return {
    name,
    run: ({ workers, writersProxy }, random) => {
      const place = random.between(-1, workers.size - 1);
      return run(place < 0 ? writersProxy : workers.proxy(place), random);
    },
  };
}

async function hung(proxy: FaultProxy, direction: 'to-client' | 'to-server' | 'both', random: Random): Promise<void> {
  proxy.hang(direction, { onlyExisting: random.chance(0.5) });
  await wait(random.between(500, 5_000));
  proxy.heal();
}

const webhookBehaviours: Readonly<Record<string, WebhookBehaviour>> = {
  'webhook 400': { kind: 'answer', status: 400 },
  'webhook 429 with Retry-After': { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
  'webhook 503': { kind: 'answer', status: 503 },
  'webhook hangs': { kind: 'hang' },
  'webhook cut': { kind: 'drop' },
  'webhook drips': { kind: 'drip', status: 200, everyMs: 100 },
};

const smtpFailures: Readonly<Record<string, SmtpFailure>> = {
  'mail 421 at the greeting': { at: 'greeting', reply: 421 },
  'mail 451 at the recipient': { at: 'recipient', reply: 451 },
  'mail 554 after the message': { at: 'data', reply: 554 },
  'mail server hangs': { at: 'data', kind: 'hang' },
  'mail dropped, not taken': { at: 'data', kind: 'drop' },
  'mail taken, answer dropped': { at: 'taken', kind: 'drop' },
};

/** Receivers that fail: the next few, whoever they are for. */
const receiverFaults: readonly Fault[] = [
  ...Object.entries(webhookBehaviours).map(([name, behaviour]) => ({
    name,
    run: async ({ webhooks }: ChaosWorld, random: Random) =>
      webhooks.answerNext(...Array.from({ length: random.between(1, 4) }, () => behaviour)),
  })),
  ...Object.entries(smtpFailures).map(([name, failure]) => ({
    name,
    run: async ({ mails }: ChaosWorld, random: Random) =>
      mails.failNext(...Array.from({ length: random.between(1, 4) }, () => failure)),
  })),
];

/** Kinds of faults that happen independently of each other, each with the rest between two of them, ms. */
export const faultKinds: readonly { readonly faults: readonly Fault[]; readonly restMs: readonly [number, number] }[] =
  [
    { faults: processFaults, restMs: [1_000, 5_000] },
    { faults: networkFaults, restMs: [500, 4_000] },
    { faults: receiverFaults, restMs: [200, 1_500] },
  ];
