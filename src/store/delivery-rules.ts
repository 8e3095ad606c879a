import { isMuted, type OptOut, type PreferenceRule } from '../model/preference.ts';
import { addressKey } from '../model/suppression.ts';
import type { SenderSettings } from '../model/tenant-sender.ts';
import type { Runner } from './connection.ts';

/** What tenants and recipients have said about deliveries, read once for a batch of them. */
export type DeliveryRules = {
  readonly isMuted: (of: OptOut & { readonly workflowId: string }) => boolean;
  readonly isSuppressed: (tenantId: string, address: string) => boolean;
  /** Null: the tenant has no sender of its own. */
  readonly senderOf: (tenantId: string) => SenderSettings | null;
};

/** Whose rules are wanted. What was not asked about counts as not muted, not suppressed. */
export type RulesQuestion = {
  readonly people: readonly Pick<OptOut, 'tenantId' | 'userId' | 'channel'>[];
  readonly addresses?: readonly { readonly tenantId: string; readonly address: string }[];
  readonly tenantIds?: readonly string[];
};

type RuleRow =
  | ({ kind: 'preference'; tenantId: string; userId: string; channel: string } & PreferenceRule)
  | { kind: 'suppression'; tenantId: string; address: string }
  | ({ kind: 'sender'; tenantId: string } & SenderSettings);

/** Reads the preferences of people, whether addresses are suppressed, and the senders of tenants, in one statement. */
export async function readDeliveryRules(runner: Runner, question: RulesQuestion): Promise<DeliveryRules> {
  const { people, addresses = [], tenantIds = [] } = question;
  const result = await runner.query<{ rule: RuleRow }>({
    name: 'tocsin_delivery_rules',
    text: `
      select json_build_object('kind', 'preference', 'tenantId', p.tenant_id, 'userId', p.user_id,
        'channel', p.channel, 'workflowId', nullif(p.workflow_id, ''), 'muted', p.muted) as rule
      from unnest($1::text[], $2::text[], $3::text[]) as told (tenant_id, user_id, channel)
      join tocsin.preferences as p
        on p.tenant_id = told.tenant_id
        and p.user_id = told.user_id
        and p.channel = told.channel
      union all
      select json_build_object('kind', 'suppression', 'tenantId', s.tenant_id, 'address', s.address)
      from unnest($4::text[], $5::text[]) as mailed (tenant_id, address)
      join tocsin.suppressions as s
        on s.tenant_id = mailed.tenant_id
        and s.address = mailed.address
      union all
      select json_build_object('kind', 'sender', 'tenantId', t.tenant_id, 'name', t.sender_name,
        'address', t.sender_address, 'replyTo', t.sender_reply_to, 'domains', t.sender_domains)
      from tocsin.tenants as t
      where t.tenant_id = any($6::text[])
        and num_nonnulls(t.sender_name, t.sender_address, t.sender_reply_to) > 0`,
    values: [
      people.map(({ tenantId }) => tenantId),
      people.map(({ userId }) => userId),
      people.map(({ channel }) => channel),
      addresses.map(({ tenantId }) => tenantId),
      addresses.map(({ address }) => addressKey(address)),
      [...new Set(tenantIds)],
    ],
  });
  return rulesOf(result.rows.map(({ rule }) => rule));
}

/** The rules of nobody: for a batch in which nobody is told. */
export const noDeliveryRules: DeliveryRules = { isMuted: () => false, isSuppressed: () => false, senderOf: () => null };

function rulesOf(rows: readonly RuleRow[]): DeliveryRules {
  if (rows.length === 0) return noDeliveryRules;
  const preferences = new Map<string, PreferenceRule[]>();
  const suppressed = new Set<string>();
  const senders = new Map<string, SenderSettings>();
  for (const row of rows) {
    switch (row.kind) {
      case 'preference': {
        const key = keyOf(row.tenantId, row.userId, row.channel);
        preferences.set(key, [...(preferences.get(key) ?? []), row]);
        break;
      }
      case 'suppression':
        suppressed.add(keyOf(row.tenantId, row.address));
        break;
      case 'sender':
        senders.set(row.tenantId, row);
    }
  }
  return {
    isMuted: ({ tenantId, userId, channel, workflowId }) =>
      isMuted(preferences.get(keyOf(tenantId, userId, channel)) ?? [], workflowId),
    isSuppressed: (tenantId, address) => suppressed.has(keyOf(tenantId, addressKey(address))),
    senderOf: (tenantId) => senders.get(tenantId) ?? null,
  };
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('\0');
}

/** What people have said about their inboxes. */
export async function readInboxRules(
  runner: Runner,
  people: readonly Pick<OptOut, 'tenantId' | 'userId'>[],
): Promise<DeliveryRules> {
  if (people.length === 0) return noDeliveryRules;
  return readDeliveryRules(runner, { people: people.map((person) => ({ ...person, channel: 'notification' })) });
}

/** Those of the tenants in which anybody has muted the inbox: one look into a small index each. */
export async function tenantsWithMutedInboxes(
  runner: Runner,
  tenantIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const result = await runner.query<{ tenantId: string }>({
    name: 'tocsin_tenants_with_muted_inboxes',
    text: `
      select asked.tenant_id as "tenantId"
      from unnest($1::text[]) as asked (tenant_id)
      where exists (
        select
        from tocsin.preferences as p
        where p.tenant_id = asked.tenant_id
          and p.muted
          and p.channel = 'notification'
      )`,
    values: [tenantIds],
  });
  return new Set(result.rows.map(({ tenantId }) => tenantId));
}
