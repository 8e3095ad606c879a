/**
 * Which events the lanes of a drain claim next, so that the backlog of one tenant does not keep the others waiting.
 *
 * As long as the lanes keep up, events are claimed in the order of their positions. A full claim in which a tenant has
 * a tenth or more makes that tenant a crowd; a tenant that is over its quota is one that waits. While there is either, a claim
 * looks for events of all others first (the express claim), and only then in order:
 *
 * - What others have between the events of the crowd is found by a walk through the whole outbox, page by page. It
 *   is repeated, for a twentieth of the time, because an event can become visible behind it: a position is given out at
 *   insert and seen at commit.
 * - What comes after the first walk is found at the end of the outbox: above the position that had been given out 200 ms ago.
 *
 * Nothing depends on the express claims: what they do not find, the claims in order find. Only a tenant that waits is left out
 * of these too, until its time is up; then the lanes begin at the start again, so that nothing is overtaken.
 */
import type { WaitingTenant } from '../engine/event-processor.ts';
import { OtherTenants } from '../engine/other-tenants.ts';
import type { ClaimedEvent, EventRange } from '../store/claim-events.ts';

/** What a lane is to claim: express events first, the others if there is none. */
export type ClaimPlan = {
  /** Where to look for events of tenants other than `without`; null while there is no crowd. A page of a walk has an end. */
  readonly express: {
    readonly range: EventRange;
    readonly without: readonly string[];
    readonly limit: number;
  } | null;
  /** Null: nothing in order, only the express claim. */
  readonly inOrder: { readonly after: string; readonly without: readonly string[]; readonly limit: number } | null;
  /** The lane walks: an empty answer is not the end. */
  readonly isWalk: boolean;
};

/** A lane as the plan knows it. */
export type ClaimingLane = {
  /** Where it goes on in order: behind what it has claimed, or a little below. */
  after: string;
  /** How often the lanes had to begin at the start when it last did. */
  restarts: number;
};

/** A tenant with this share of a full claim has a backlog. */
const crowdShare = 1 / 10;
const crowdShareExpress = 1 / 4;
/** Small batches while others wait: theirs is then over sooner, and so is what they wait for. */
const smallBatch = 100;
const walkPagePositions = 20_000n;
const walkEveryMs = 1_000;
const walkShare = 20;
/** A position given out this long ago is visible, or its transaction is a slow one. */
const settledMs = 200;

type Mark = { readonly position: string; readonly atMs: number };
type Walk = { lane: ClaimingLane | null; next: bigint; readonly end: bigint; spentMs: number; isPageNext: boolean };

/** One for all lanes of a drain. */
export class FairClaims {
  readonly #batchSize: number;
  readonly #now: () => number;
  /** Tenants with a backlog; `#crowdSeen` are those of them that were seen since the last walk began. */
  #crowd = new Set<string>();
  #crowdSeen = new Set<string>();
  readonly #waiting = new Map<string, number>();
  #walk: Walk | null = null;
  #nextWalkAt = 0;
  /** Above the older mark everything is found by express claims; null before the first walk has ended. */
  #floor: { older: Mark; newer: Mark } | null = null;
  #restarts = 0;
  readonly #others: OtherTenants;

  constructor(options: { readonly batchSize: number; readonly now?: () => number }) {
    this.#batchSize = options.batchSize;
    this.#now = options.now ?? (() => performance.now());
    this.#others = new OtherTenants(this.#now);
  }

  /** A walk is due: read the bounds of the outbox, for `beginWalk`. */
  get wantsWalk(): boolean {
    return this.#isExpress() && this.#walk === null && this.#now() >= this.#nextWalkAt;
  }

  /** Whether the lane has a walk to end before it rests: none that nobody is in the way of any more. */
  isWalking(lane: ClaimingLane): boolean {
    return this.#walk?.lane === lane && this.#isExpress();
  }

  /** `lane` walks from the first position that waits to the last that was given out. */
  beginWalk(lane: ClaimingLane, bounds: { first: string | null; last: string }): void {
    if (this.#walk !== null) return;
    const end = BigInt(bounds.last);
    this.#walk = {
      lane,
      next: bounds.first === null ? end : BigInt(bounds.first) - 1n,
      end,
      spentMs: 0,
      isPageNext: true,
    };
    // Whose backlog is over belongs to the others again; what it left behind comes before what is new of it.
    if (this.#crowdSeen.size < this.#crowd.size) this.#floor = null;
    this.#crowd = this.#crowdSeen;
    this.#crowdSeen = new Set();
  }

  /** A lane has ended: another one may go on with its walk. */
  leave(lane: ClaimingLane): void {
    if (this.#walk?.lane === lane) this.#walk.lane = null;
  }

  /** The tenant's events stay in the outbox for so long. */
  wait({ tenantId, forMs }: Pick<WaitingTenant, 'tenantId' | 'forMs'>): void {
    if (!this.#isExpress()) this.#begin();
    this.#waiting.set(tenantId, this.#now() + forMs);
  }

  /** How long nothing can come up by itself, ms: until somebody's wait ends or a walk is due. */
  get restMs(): number {
    const walks = this.#isExpress() && this.#walk === null ? [this.#nextWalkAt] : [];
    return Math.max(1, Math.ceil(Math.min(...this.#waiting.values(), ...walks) - this.#now()));
  }

  /** Where somebody who is about to sleep has to look for events, and whose do not count. */
  get awake(): { after: string; without: readonly string[] } {
    if (!this.#isExpress()) return { after: '0', without: [] };
    return { after: this.#floor?.older.position ?? '0', without: this.#everybodyInTheWay() };
  }

  /** What `lane` is to claim next; `after` is where it goes on in order. */
  plan(lane: ClaimingLane, after: string): ClaimPlan {
    const limit = this.#batchSize;
    if (!this.#isExpress()) {
      this.#walk = null;
      const inOrder = { after: this.#afterRestart(lane, after), without: [], limit };
      return { express: null, inOrder, isWalk: false };
    }
    if (this.#walk?.lane === null) this.#walk.lane = lane;
    const isWalk = this.#walk?.lane === lane;
    const isAnyCrowd = [...this.#crowd].some((tenant) => !this.#waiting.has(tenant));
    const inOrder =
      !isWalk && (this.#floor === null || isAnyCrowd)
        ? {
            after: this.#afterRestart(lane, after),
            without: [...this.#waiting.keys()],
            limit: this.#others.areThere ? Math.min(limit, smallBatch) : limit,
          }
        : null;
    // What it finds would wait for a claim from the start, which may take long: another lane looks there, or the next claim.
    const range = inOrder?.after === '0' ? null : this.#expressRange(isWalk);
    const without = this.#everybodyInTheWay();
    const express = range ? { range, without, limit: Math.min(limit, smallBatch) } : null;
    return { express, inOrder, isWalk };
  }

  /** The end of the outbox; who walks takes a page of it in between. */
  #expressRange(isWalk: boolean): EventRange | null {
    const end = this.#floor ? { after: this.#floor.older.position, upTo: null } : null;
    if (!isWalk || !this.#walk) return end;
    const { isPageNext, next } = this.#walk;
    this.#walk.isPageNext = !isPageNext;
    return end !== null && !isPageNext ? end : { after: String(next), upTo: String(next + walkPagePositions) };
  }

  /**
   * Learns from what a plan came to. `last` is the last position given out (null when there was no express claim), `lastedMs`
   * how long the claims took.
   */
  claimed(
    plan: ClaimPlan,
    answer: {
      express: readonly ClaimedEvent[];
      inOrder: readonly ClaimedEvent[];
      last: string | null;
      lastedMs: number;
    },
  ): void {
    const { express, inOrder, last, lastedMs } = answer;
    this.#others.meet(express);
    this.#others.meet(inOrder);
    if (plan.inOrder && inOrder.length === plan.inOrder.limit) this.#findCrowd(inOrder, crowdShare);
    if (!this.#isExpress()) return;
    if (plan.inOrder?.after === '0' && inOrder.length < plan.inOrder.limit) this.#crowd = new Set();
    if (plan.express === null) return;
    const isFull = express.length === plan.express.limit;
    if (isFull) this.#findCrowd(express, crowdShareExpress);
    if (plan.express.range.upTo !== null) this.#walked(isFull ? express.at(-1)?.position : undefined, lastedMs);
    else if (last !== null && !isFull) this.#moveFloor(last);
  }

  /** A page is done, up to a position where there was more in it than a claim takes. */
  #walked(upTo: string | undefined, lastedMs: number): void {
    const walk = this.#walk;
    if (!walk) return;
    walk.spentMs += lastedMs;
    walk.next = upTo === undefined ? walk.next + walkPagePositions : BigInt(upTo);
    if (walk.next < walk.end) return;
    const mark = { position: String(walk.end), atMs: this.#now() };
    this.#floor ??= { older: mark, newer: mark };
    this.#walk = null;
    this.#nextWalkAt = this.#now() + Math.max(walkEveryMs, walk.spentMs * walkShare);
  }

  #moveFloor(last: string): void {
    const now = this.#now();
    if (!this.#floor || now - this.#floor.newer.atMs < settledMs) return;
    this.#floor = { older: this.#floor.newer, newer: { position: last, atMs: now } };
  }

  #findCrowd(events: readonly ClaimedEvent[], share: number): void {
    const counts = new Map<string, number>();
    for (const { tenantId } of events) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
    const crowd = [...counts].filter(([, count]) => count >= events.length * share).map(([tenantId]) => tenantId);
    if (crowd.length > 0 && !this.#isExpress()) this.#begin();
    for (const tenantId of crowd) {
      this.#crowd.add(tenantId);
      this.#crowdSeen.add(tenantId);
    }
  }

  /** Nothing is known of the outbox: a walk comes first. */
  #begin(): void {
    this.#walk = null;
    this.#floor = null;
    this.#nextWalkAt = 0;
    this.#crowdSeen = new Set(this.#crowd);
  }

  #everybodyInTheWay(): string[] {
    return [...new Set([...this.#crowd, ...this.#waiting.keys()])];
  }

  /** Whether somebody's backlog, or quota, is to be got around. */
  #isExpress(): boolean {
    const now = this.#now();
    for (const [tenantId, until] of this.#waiting) {
      if (until > now) continue;
      this.#waiting.delete(tenantId);
      this.#restarts += 1;
      this.#begin();
    }
    return this.#crowd.size + this.#waiting.size > 0;
  }

  #afterRestart(lane: ClaimingLane, after: string): string {
    if (lane.restarts === this.#restarts) return after;
    lane.restarts = this.#restarts;
    lane.after = '0';
    return '0';
  }
}
