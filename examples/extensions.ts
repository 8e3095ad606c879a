/** A condition, an action and a recipient type of your own, and a directory over your own tables. */
import type pg from 'pg';
import { z } from 'zod';
import { createTocsin, defineAction, defineCondition, defineRecipient, type Tocsin } from '../src/index.ts';
import { createHostDirectory } from './host-directory.ts';

// #region condition
/** Your own look-up, over HTTP or in your tables. */
export type PlanOf = (tenantId: string, signal: AbortSignal) => Promise<'free' | 'business'>;

/** Tenants write: { type: 'tenant_plan', plan: 'business' } */
export function tenantPlanCondition(planOf: PlanOf) {
  return defineCondition({
    type: 'tenant_plan',
    schema: z.object({ plan: z.enum(['free', 'business']) }),
    evaluate: async ({ plan }, { event, services }) => (await planOf(event.tenantId, services.signal)) === plan,
  });
}
// #endregion

// #region action
/** Tenants write: { type: 'sms', text: 'Order {{ payload.id }}' } */
export function smsAction(gatewayUrl: string) {
  return defineAction({
    type: 'sms',
    schema: z.object({ text: z.string().min(1) }),
    audience: 'recipients',
    templates: { text: 'line' },
    refuses: ({ attributes }) => (typeof attributes.phone === 'string' ? null : 'no_address'),
    deliver: ({ text }, { recipient, deliveryId, transports, signal }) =>
      transports.sendHttp(
        {
          url: `${gatewayUrl}/messages`,
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': deliveryId },
          body: JSON.stringify({ to: recipient?.attributes.phone, text: text.slice(0, 160) }),
        },
        signal,
      ),
  });
}
// #endregion

// #region recipient
/** Tenants write: { type: 'on_call', team: 'support' } */
export const onCallRecipient = defineRecipient({
  type: 'on_call',
  schema: z.object({ team: z.string().min(1) }),
  resolve: async ({ team }, { tenantId, directory }) => {
    const members = await directory.find(tenantId, { kind: 'group', name: team }, { after: null, limit: 1_000 });
    return members.filter(({ attributes }) => attributes.on_call === true).map(({ id }) => id);
  },
});
// #endregion

// #region register
export function createExtendedTocsin(options: { databaseUrl: string; gatewayUrl: string; planOf: PlanOf }) {
  return createTocsin({
    databaseUrl: options.databaseUrl,
    webhooks: { allowHosts: [new URL(options.gatewayUrl).hostname] },
    conditions: [tenantPlanCondition(options.planOf)],
    actions: [smsAction(options.gatewayUrl)],
    recipients: [onCallRecipient],
  });
}
// #endregion

// #region register-later
export function registerLater(tocsin: Tocsin, options: { gatewayUrl: string; planOf: PlanOf }): void {
  tocsin.engine.registerConditionHandler(tenantPlanCondition(options.planOf));
  tocsin.engine.registerActionHandler(smsAction(options.gatewayUrl));
  tocsin.engine.registerRecipientResolver(onCallRecipient);
}
// #endregion

// #region directory
export function createTocsinOnYourUsers(databaseUrl: string, pool: pg.Pool): Promise<Tocsin> {
  return createTocsin({ databaseUrl, directory: createHostDirectory(pool) });
}
// #endregion
