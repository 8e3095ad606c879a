/** Who mails are from, how recipients opt out of them, and where the links for that lead. */
import { createServer, type Server } from 'node:http';
import { createTocsin, createUnsubscribeHandler, type Suppression, type Tocsin, unwrap } from '../src/index.ts';

// #region options
export function createMailingTocsin(databaseUrl: string, secrets: { secretsKey: string; dkimKey: string }) {
  return createTocsin({
    databaseUrl,
    secretsKey: secrets.secretsKey,
    smtp: {
      url: 'smtp://user:password@mail.shop.example:587',
      from: 'Shop <no-reply@shop.example>',
      dkim: { domainName: 'shop.example', keySelector: 'tocsin', privateKey: secrets.dkimKey },
    },
    unsubscribe: { baseUrl: 'https://shop.example/unsubscribe' },
  });
}
// #endregion

// #region endpoint
export function createUnsubscribeServer(tocsin: Tocsin): Server {
  return createServer(createUnsubscribeHandler(tocsin.unsubscribe, { name: 'Shop', onError: console.error }));
}
// #endregion

// #region preferences
export async function muteMails(tocsin: Tocsin, tenantId: string, userId: string, workflowId: string): Promise<void> {
  // No mails to this user, but those of one workflow.
  unwrap(await tocsin.preferences.setPreference(tenantId, { userId, channel: 'email', muted: true }));
  unwrap(await tocsin.preferences.unmute(tenantId, { userId, channel: 'email', workflowId }));
}
// #endregion

// #region suppressions
export async function giveAnotherChance(tocsin: Tocsin, tenantId: string): Promise<readonly Suppression[]> {
  const { items } = unwrap(await tocsin.suppressions.list(tenantId, { reason: 'hard_bounce' }));
  for (const { address, detail } of items) {
    console.log(`${address}: ${detail}`);
    unwrap(await tocsin.suppressions.remove(tenantId, address));
  }
  return items;
}
// #endregion

// #region sender
export async function sendFromOwnDomain(tocsin: Tocsin, tenantId: string): Promise<void> {
  // You, once the tenant has proved that the domain is theirs.
  unwrap(await tocsin.tenants.setSenderDomains(tenantId, ['acme.example']));
  // The tenant. An address of another domain is `not_allowed`.
  const sender = { name: 'Acme', address: 'orders@acme.example', replyTo: 'help@acme.example' };
  unwrap(await tocsin.tenants.setSender(tenantId, sender));
}
// #endregion
