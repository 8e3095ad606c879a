import type { ClaimedEvent } from '../store/claim-events.ts';
import type { Connection, Runner } from '../store/connection.ts';

/** What a batch of events comes to: everything is written in the transaction that claimed them. */
export type PreparedBatch = {
  /** Issues the statements without waiting; the caller waits for them together with its commit. */
  readonly write: (runner: Runner) => readonly Promise<unknown>[];
  /** Called after the commit: wakes what comes next. */
  readonly committed: () => void;
  /** Tenants that used up a quota: events of theirs in this batch were left in the outbox, where they wait. */
  readonly waiting?: readonly WaitingTenant[];
};

/** A tenant whose events are not to be claimed for so long, and how many of them were left out of a batch. */
export type WaitingTenant = { readonly tenantId: string; readonly forMs: number; readonly events: number };

export type EventProcessor = {
  /** Decides what to write for these events. May read through the connection; writes nothing itself. */
  readonly prepare: (
    connection: Connection,
    events: readonly ClaimedEvent[],
    definitionsVersion: number,
  ) => Promise<PreparedBatch>;
};
