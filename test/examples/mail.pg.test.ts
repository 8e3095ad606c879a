import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { passwordReset } from '../../examples/actions.ts';
import {
  createMailingTocsin,
  createUnsubscribeServer,
  giveAnotherChance,
  muteMails,
  sendFromOwnDomain,
} from '../../examples/mail.ts';
import { unwrap } from '../../src/model/result.ts';
import { useShop, workflowWith } from './shop.ts';

const shop = useShop({ unsubscribe: { baseUrl: 'https://shop.example/unsubscribe' } });
const mail = { type: 'email', subject: 'Order', text: 'An order.' };

/** Publishes a workflow with this action and writes one order; answers the mails and the workflow's id. */
async function runOnce(action: (typeof passwordReset)[number] = mail) {
  const before = shop.smtp.mails.length;
  const id = await shop.publish('acme', workflowWith({ actions: [action] }));
  await shop.write('orders', { amount: 640 });
  unwrap(await shop.tocsin.workflows.deactivateWorkflow('acme', id));
  return { id, mails: shop.smtp.mails.slice(before) };
}

describe('createMailingTocsin', () => {
  test('is put together', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const dkimKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const tocsin = await createMailingTocsin(shop.url, { secretsKey: randomBytes(32).toString('hex'), dkimKey });
    await tocsin.close();
    expect(tocsin.unsubscribe.path).toBe('/unsubscribe');
  });
});

describe('createUnsubscribeServer', () => {
  test('records who follows the link of a mail', async () => {
    const { mails } = await runOnce();
    const header = mails[0]?.mail.headers.find(({ key }) => key === 'list-unsubscribe')?.value;
    const [, path] = /^<https:\/\/shop\.example(\/unsubscribe\/\S+)>$/.exec(header ?? '') ?? [];
    const server = createUnsubscribeServer(shop.tocsin).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    expect(await (await fetch(url)).text()).toContain('Stop messages from Shop?');
    await fetch(url, { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) });
    expect(unwrap(await shop.tocsin.preferences.getPreferences('acme', 'user123'))).toMatchObject([{ muted: true }]);
  });
});

describe('muteMails', () => {
  test('ends mails but those of one workflow, and but those that nobody can opt out of', async () => {
    const { id } = await runOnce();
    await muteMails(shop.tocsin, 'acme', 'user123', id);
    expect((await runOnce()).mails).toEqual([]);
    const { mails } = await runOnce(passwordReset[0]);
    expect(mails.map(({ raw }) => /^list-unsubscribe/im.test(raw))).toEqual([false]);
    unwrap(await shop.tocsin.preferences.unmute('acme', { userId: 'user123', channel: 'email' }));
    expect((await runOnce()).mails).toHaveLength(1);
  });
});

describe('giveAnotherChance', () => {
  test('takes addresses off the list that a mail server said do not exist', async () => {
    shop.smtp.failNext({ at: 'recipient', reply: 550, text: '5.1.1 no such user' });
    expect((await runOnce()).mails).toEqual([]);
    expect((await runOnce()).mails).toEqual([]);
    expect(await giveAnotherChance(shop.tocsin, 'acme')).toMatchObject([{ address: 'uma@acme.example' }]);
    expect((await runOnce()).mails).toHaveLength(1);
  });
});

describe('sendFromOwnDomain', () => {
  test("sends the tenant's mails under its own name and address", async () => {
    await sendFromOwnDomain(shop.tocsin, 'acme');
    const { mails } = await runOnce();
    expect(mails[0]?.mail.from).toEqual({ name: 'Acme', address: 'orders@acme.example' });
  });
});
