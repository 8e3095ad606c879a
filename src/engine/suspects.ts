/** What was claimed for an attempt. */
export type Claimed = {
  readonly id: string;
  /** The worker of the attempt before ended in it, or lost it. */
  readonly takenOver: boolean;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Attempts before the last redrive. */
  readonly attemptsBase?: number;
};

/** After so many attempts that came to nothing, of which the last ended with its worker, the next is made alone. */
const attemptsTogether = 2;

/**
 * Whether it may be what ends workers: it was in hand when one ended, and not for the first time. A worker has one such thing
 * in hand at a time, so that what only shared a worker with the poison does not share its end again and again.
 */
export function isSuspect({ takenOver, attempts, attemptsBase = 0 }: Claimed): boolean {
  return takenOver && attempts - attemptsBase > attemptsTogether;
}

/** Of what was claimed what to put back, because it has to be tried alone and another of its kind is in hand. */
export function suspectsTooMany<Row extends Claimed>(claimed: readonly Row[], held: readonly Claimed[]): Row[] {
  const suspects = claimed.filter(isSuspect);
  return held.some(isSuspect) ? suspects : suspects.slice(1);
}
