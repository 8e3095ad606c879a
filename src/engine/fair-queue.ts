import type { TenantInLine, Turn } from '../store/tenants-in-line.ts';
import { OtherTenants } from './other-tenants.ts';

/** What a queue of leased rows answers. */
export type QueueClaims<Row> = {
  /** Those first that became due first. */
  readonly inOrder: (limit: number) => Promise<readonly Row[]>;
  /** Of some tenants, so many of each. */
  readonly inTurn: (turn: Turn) => Promise<readonly Row[]>;
  /** Tenants with pending rows after one of them, in the order of their ids. */
  readonly tenantsAfter: (after: string, limit: number) => Promise<readonly TenantInLine[]>;
};

export type FairClaim = {
  /** How many rows at most. */
  readonly limit: number;
  /** What is under way in this process. */
  readonly held?: readonly { readonly tenantId: string }[];
  /** Tenants that may have only so many rows now, or none. */
  readonly allowed?: ReadonlyMap<string, number>;
};

/** A tenant with half of a claim has a backlog. */
const crowdShare = 1 / 2;
/** Of a claim, what is kept for those who have one; they get the rest as well if others do not need it. */
const crowdReserve = 1 / 4;
/** Of what others may have, what goes to rows that have just become due, whoever they are of. */
const freshShare = 1 / 4;
/** Tenants looked at for a turn, and turns in a row when nothing else is there to claim. */
const tenantsPerTurn = 32;
const turnsPerClaim = 8;
/** Looking at others one by one may take a fourth of the time, when it takes longer than this, ms. */
const costlyPageMs = 20;
const pageShare = 4;

/**
 * Claims from a queue so that the backlog of one tenant does not keep the others waiting. As long as claims take what is due,
 * rows are claimed in the order they became due. Once a tenant fills a claim, or may not have more, the others go first: what has
 * just become due, and tenants with pending rows in turn, a page of them at a time, however many there are.
 *
 * While others are there, no tenant holds more than half of what this process can have under way.
 */
export class FairQueue<Row extends { readonly tenantId: string }> {
  readonly #now: () => number;
  #crowd = new Set<string>();
  #after = '';
  readonly #others: OtherTenants;
  #nextPageAt = 0;
  #stillInLine: ReadonlySet<string> | null = null;
  /** What others may have of this claim and do not, because it is a part of a row: theirs in the next. */
  #carried = 0;

  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#others = new OtherTenants(this.#now);
  }

  /** Tenants of which something due was left at the last look at the line; null when it was not a look at all of it. */
  get stillInLine(): ReadonlySet<string> | null {
    return this.#stillInLine;
  }

  async claim(claim: FairClaim, claims: QueueClaims<Row>): Promise<readonly Row[]> {
    const room = this.#roomOf(claim);
    const isTight = [...room.values()].some((most) => most < claim.limit);
    if (this.#crowd.size === 0 && !isTight) {
      const rows = await claims.inOrder(claim.limit);
      this.#others.meet(rows);
      const isAll = rows.length < claim.limit;
      if (!isAll) this.#crowd = crowdOf(rows);
      this.#stillInLine = isAll ? new Set() : this.#crowd.size > 0 ? await dueInLine(claims) : null;
      return rows;
    }
    const rows = await this.#claimInTurn(claim.limit, room, claims);
    this.#others.meet(rows);
    if (rows.length > 0 || this.#crowd.size === 0) return rows;
    this.#crowd.clear();
    return isTight ? rows : claims.inOrder(claim.limit);
  }

  async #claimInTurn(
    limit: number,
    room: ReadonlyMap<string, number>,
    claims: QueueClaims<Row>,
  ): Promise<readonly Row[]> {
    const crowd = [...this.#crowd].filter((tenantId) => room.get(tenantId) !== 0);
    const ofOthers =
      crowd.length === 0
        ? await this.#claimOfOthers(limit, { room, claims, turns: turnsPerClaim })
        : await this.#claimOfOthers(this.#shareOfOthers(limit), { room, claims, turns: 1 });
    const left = limit - ofOthers.length;
    if (crowd.length === 0 || left === 0) return ofOthers;
    const limits = shares(crowd, { total: left, room });
    const ofCrowd = await claims.inTurn({ tenantIds: crowd, limits, fresh: { limit: 0, without: [] } });
    const counts = countByTenant(ofCrowd);
    for (const [index, tenantId] of crowd.entries()) {
      const limitOfTenant = limits[index] ?? 0;
      if (limitOfTenant === 0) continue;
      this.#crowd.delete(tenantId);
      // To the end of the line: where not all of them get a row, those who got none are next.
      if ((counts.get(tenantId) ?? 0) === limitOfTenant) this.#crowd.add(tenantId);
    }
    if (ofCrowd.length === 0 && left === limit) return this.#claimOfOthers(limit, { room, claims, turns: 1 });
    return [...ofOthers, ...ofCrowd];
  }

  /** Of several claims of one row, all but every fourth. */
  #shareOfOthers(limit: number): number {
    const share = limit * (1 - crowdReserve) + this.#carried;
    this.#carried = share % 1;
    return Math.floor(share);
  }

  /** Of tenants without a backlog, as far as it is known. */
  async #claimOfOthers(
    limit: number,
    { room, claims, turns }: { room: ReadonlyMap<string, number>; claims: QueueClaims<Row>; turns: number },
  ): Promise<readonly Row[]> {
    if (limit === 0) return [];
    const freshLimit = Math.floor(limit * freshShare);
    const without = [...new Set([...this.#crowd, ...room.keys()])];
    // What has just become due is found all the same.
    if (this.#crowd.size > 0 && this.#now() < this.#nextPageAt)
      return claims.inTurn({ tenantIds: [], limits: [], fresh: { limit, without } });
    for (let turn = 0; turn < turns; turn++) {
      const startedAt = this.#now();
      const isAsked = ({ tenantId, isDue }: TenantInLine) =>
        isDue && !this.#crowd.has(tenantId) && room.get(tenantId) !== 0;
      const page = await this.#nextTenants(claims, { isAsked, most: limit - freshLimit });
      const { tenantIds } = page;
      if (page.isWhole && tenantIds.length === 0) {
        // Nobody but the crowd: who has come in this moment is found by the next claim.
        this.#stillInLine = new Set(page.due);
        return [];
      }
      const limits = shares(tenantIds, { total: limit - freshLimit, room });
      const rows = await claims.inTurn({ tenantIds, limits, fresh: { limit: freshLimit, without } });
      const lastedMs = this.#now() - startedAt;
      if (lastedMs > costlyPageMs) this.#nextPageAt = startedAt + lastedMs * pageShare;
      if (rows.length >= limit * crowdShare) for (const tenantId of crowdOf(rows)) this.#crowd.add(tenantId);
      this.#stillInLine = page.isWhole ? leftInLine(page, { limits, rows }) : null;
      if (rows.length > 0 || page.isWhole) return rows;
    }
    return [];
  }

  /** The next tenants to ask, no more than `most`, of those in line that have something due; whole when all were looked at. */
  async #nextTenants(
    claims: QueueClaims<Row>,
    { isAsked, most }: { isAsked: (tenant: TenantInLine) => boolean; most: number },
  ): Promise<PageOfLine> {
    const start = this.#after;
    const tenants = [...(await claims.tenantsAfter(start, tenantsPerTurn))];
    if (tenants.length < tenantsPerTurn && start !== '') {
      const first = await claims.tenantsAfter('', tenantsPerTurn - tenants.length);
      tenants.push(...first.filter(({ tenantId }) => tenantId <= start));
    }
    const asked = tenants.filter(isAsked).slice(0, most);
    const isWhole = tenants.length < tenantsPerTurn;
    // When all were looked at, the next look begins at the first again, and takes one question instead of two.
    const last = asked.length === most ? asked.at(-1) : isWhole ? undefined : tenants.at(-1);
    this.#after = last?.tenantId ?? '';
    const due = tenants.filter(({ isDue }) => isDue);
    return { tenantIds: asked.map(idOf), due: due.map(idOf), isWhole };
  }

  /** What each tenant may still have, for those of whom it is known. */
  #roomOf({ limit, held = [], allowed = new Map() }: FairClaim): Map<string, number> {
    const room = new Map(allowed);
    if (!this.#others.areThere) return room;
    const most = Math.ceil((limit + held.length) / 2);
    for (const [tenantId, count] of countByTenant(held)) {
      room.set(tenantId, Math.max(0, Math.min(room.get(tenantId) ?? most, most - count)));
    }
    return room;
  }
}

type PageOfLine = { readonly tenantIds: readonly string[]; readonly due: readonly string[]; readonly isWhole: boolean };

function idOf({ tenantId }: TenantInLine): string {
  return tenantId;
}

/** Tenants of which something is due; null when there are too many to look at all. */
async function dueInLine(claims: Pick<QueueClaims<unknown>, 'tenantsAfter'>): Promise<Set<string> | null> {
  const tenants = await claims.tenantsAfter('', tenantsPerTurn);
  return tenants.length < tenantsPerTurn ? new Set(tenants.filter(({ isDue }) => isDue).map(idOf)) : null;
}

/** Those that were not asked, or gave as much as they were asked for. */
function leftInLine(
  { tenantIds, due }: PageOfLine,
  { limits, rows }: { limits: readonly number[]; rows: readonly { tenantId: string }[] },
): Set<string> {
  const counts = countByTenant(rows);
  const left = new Set(due);
  for (const [index, tenantId] of tenantIds.entries()) {
    if ((counts.get(tenantId) ?? 0) < (limits[index] ?? 0)) left.delete(tenantId);
  }
  return left;
}

/** How many rows of each: an equal share, no more than it may have, all together no more than `total`. */
function shares(
  tenantIds: readonly string[],
  { total, room }: { total: number; room: ReadonlyMap<string, number> },
): number[] {
  const share = Math.ceil(total / Math.max(1, tenantIds.length));
  let left = total;
  return tenantIds.map((tenantId) => {
    const most = Math.min(share, room.get(tenantId) ?? share, left);
    left -= most;
    return most;
  });
}

function crowdOf(rows: readonly { tenantId: string }[]): Set<string> {
  const crowd = [...countByTenant(rows)].filter(([, count]) => count >= rows.length * crowdShare);
  return new Set(crowd.map(([tenantId]) => tenantId));
}

function countByTenant(rows: readonly { tenantId: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { tenantId } of rows) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  return counts;
}
