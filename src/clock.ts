/**
 * The only place that asks this machine what time it is. Decisions take `now` as a parameter; leases, retries and due
 * times use the database's clock and never this one.
 */
export type Clock = {
  /** The present moment. */
  readonly now: () => Date;
  /** Milliseconds that only grow, for measuring durations. */
  readonly elapsedMs: () => number;
};

export const systemClock: Clock = {
  now: () => new Date(),
  elapsedMs: () => performance.now(),
};
