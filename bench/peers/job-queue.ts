/** Kept events by their position: those behind `after`, up to and with `upTo`. */
export type EventRange = { readonly after: number; readonly upTo: number };

/** A peer of the drain that has connected and loaded what it needs. */
export type JobQueue = {
  /** Puts a job for each of these events in. */
  readonly fill: (events: EventRange) => Promise<void>;
  /** Works them off; answers how long that took, ms. May be called again and again. */
  readonly run: (events: EventRange) => Promise<number>;
  readonly close: () => Promise<void>;
};

/** How many events there are. */
export function sizeOf({ after, upTo }: EventRange): number {
  return upTo - after;
}
