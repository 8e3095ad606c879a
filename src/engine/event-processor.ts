import type { ClaimedEvent } from '../store/claim-events.ts';
import type { Connection, Runner } from '../store/connection.ts';

/** What a batch of events comes to: everything is written in the transaction that claimed them. */
export type PreparedBatch = {
  /** Issues the statements without waiting; the caller waits for them together with its commit. */
  readonly write: (runner: Runner) => readonly Promise<unknown>[];
  /** Called after the commit: wakes what comes next. */
  readonly committed: () => void;
};

export type EventProcessor = {
  /** Decides what to write for these events. May read through the connection; writes nothing itself. */
  readonly prepare: (
    connection: Connection,
    events: readonly ClaimedEvent[],
    definitionsVersion: number,
  ) => Promise<PreparedBatch>;
};
