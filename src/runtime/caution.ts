/** How many events are matched with care after a process ended without a word: more than one can have held. */
const carefulEvents = 10_000;

/**
 * Whether the drain of this process goes carefully: when a worker ended in the middle of its work, one of the events that are
 * first in line may be why.
 */
export class Caution {
  #left = 0;
  #onLowered: (() => void)[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  get isRaised(): boolean {
    return this.#left > 0;
  }

  /** From now on go carefully; `onLowered` is called once that was enough. */
  raise(onLowered: () => void): void {
    this.#left = carefulEvents;
    this.#onLowered.push(onLowered);
  }

  /** So many events were matched with care; none means that there are no more of them. */
  passed(count: number): void {
    this.#left = count === 0 ? 0 : Math.max(0, this.#left - count);
    if (this.isRaised) return;
    for (const onLowered of this.#onLowered.splice(0)) onLowered();
  }

  /** Runs `work` while no other work of this kind runs in the process. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
