import type { Runner } from './connection.ts';

/** A delivery leased to this worker for one attempt. */
export type ClaimedDelivery = {
  readonly id: string;
  readonly tenantId: string;
  readonly executionId: string;
  readonly actionId: string;
  readonly actionType: string;
  readonly recipientId: string;
  readonly recipient: unknown;
  /** All attempts so far, this one included. */
  readonly attempts: number;
  /** Attempts before the last redrive. */
  readonly attemptsBase: number;
  readonly leaseToken: string;
  /** The lease of another worker ran out before it recorded an outcome. */
  readonly takenOver: boolean;
  /** The database's clock, ms since 1970. */
  readonly nowMs: number;
};

/**
 * Leases pending deliveries that are due, of the action types this worker knows and the queues it serves. The attempt is
 * counted now, so that a message which kills its worker runs out of attempts.
 */
export async function claimDeliveries(
  runner: Runner,
  options: { limit: number; leaseMs: number; actionTypes: readonly string[]; queues: readonly string[] | null },
): Promise<ClaimedDelivery[]> {
  const result = await runner.query<ClaimedDelivery>({
    name: 'tocsin_claim_deliveries',
    text: `
      with due as (
        select id, lease_token is not null as taken_over
        from tocsin.deliveries
        where status = 'pending'
          and due_at <= now()
          and action_type = any($3::text[])
          and ($4::text[] is null or queue = any($4::text[]))
        order by due_at
        limit $1
        for update skip locked
      )
      update tocsin.deliveries d
      set lease_token = gen_random_uuid(),
        due_at = now() + $2 * interval '1 millisecond',
        attempts = attempts + 1
      from due
      where d.id = due.id
      returning d.id, tenant_id as "tenantId", execution_id as "executionId", action_id as "actionId",
        action_type as "actionType", recipient_id as "recipientId", recipient, attempts, attempts_base as "attemptsBase",
        lease_token as "leaseToken", due.taken_over as "takenOver", (extract(epoch from now()) * 1000)::float8 as "nowMs"`,
    values: [options.limit, options.leaseMs, options.actionTypes, options.queues],
  });
  return result.rows;
}

/** Prolongs leases of deliveries whose attempts still run. */
export async function renewDeliveryLeases(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[]; leaseMs: number },
): Promise<void> {
  await runner.query(
    `update tocsin.deliveries d
     set due_at = now() + $3 * interval '1 millisecond'
     from unnest($1::uuid[], $2::uuid[]) as held (id, token)
     where d.id = held.id
       and d.lease_token = held.token
       and d.status = 'pending'`,
    [options.ids, options.leaseTokens, options.leaseMs],
  );
}

/** Gives back deliveries that were claimed and not started, as if they had not been claimed. */
export async function returnDeliveries(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[] },
): Promise<void> {
  if (options.ids.length === 0) return;
  await runner.query(
    `update tocsin.deliveries d
     set due_at = now(), lease_token = null, attempts = attempts - 1
     from unnest($1::uuid[], $2::uuid[]) as held (id, token)
     where d.id = held.id
       and d.lease_token = held.token
       and d.status = 'pending'`,
    [options.ids, options.leaseTokens],
  );
}
