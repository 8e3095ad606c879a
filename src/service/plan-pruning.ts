import type { DayPartition, PruneScope, TenantGroup } from '../store/retention.ts';

const dayMs = 86_400_000;

/** What is too old: whole days, and rows that have to be deleted one by one. */
export type PruningPlan = {
  /** Partitions of days that nobody keeps any longer. */
  readonly drops: readonly DayPartition[];
  readonly executions: readonly PruneScope[];
  readonly events: readonly PruneScope[];
  /** Nobody keeps what is older. */
  readonly keptFrom: { readonly executions: Date; readonly events: Date };
};

type Group = { readonly days: number; readonly tenants: TenantGroup };

/**
 * Decides what retention removes. A day goes as a whole once the longest retention in force is over; until then rows of tenants
 * with a shorter one are deleted one by one, as are rows that have no partition of their day. Days count from the event;
 * events are kept `eventDays`, or as long as the executions of their tenant if that is shorter. Pure.
 */
export function planPruning(options: {
  now: Date;
  defaultDays: number;
  eventDays: number;
  /** Tenants with a number of days of their own. */
  retentions: readonly { readonly tenantId: string; readonly days: number }[];
  partitions: readonly DayPartition[];
}): PruningPlan {
  const { now, defaultDays, eventDays, retentions, partitions } = options;
  const groups = groupsOf(retentions, defaultDays);
  const eventGroups = groups.map(({ days, tenants }) => ({ tenants, days: Math.min(days, eventDays) }));
  const executions = planTable('executions', groups, now);
  const events = planTable('event_history', eventGroups, now);
  const isOver = ({ table, day }: DayPartition) => {
    const { keptFrom } = table === 'event_history' ? events : executions;
    return day.getTime() + dayMs <= keptFrom.getTime();
  };
  return {
    drops: partitions.filter(isOver),
    executions: executions.scopes,
    events: events.scopes,
    keptFrom: { executions: executions.keptFrom, events: events.keptFrom },
  };
}

/** Everybody's rows of one partition that are older than what anybody keeps. */
export function wholePartition(partition: string, keptFrom: Date): PruneScope {
  return { partition, tenants: { except: [] }, from: null, before: keptFrom };
}

function planTable(
  table: 'executions' | 'event_history',
  groups: readonly Group[],
  now: Date,
): { scopes: PruneScope[]; keptFrom: Date } {
  const ago = (days: number) => new Date(now.getTime() - days * dayMs);
  const longest = Math.max(...groups.map(({ days }) => days));
  const keptFrom = ago(longest);
  // Ids before this moment are in partitions that go as a whole.
  const from = new Date(Math.floor(keptFrom.getTime() / dayMs) * dayMs);
  const shorter = groups.filter(({ days }) => days < longest);
  return {
    keptFrom,
    scopes: [
      wholePartition(`${table}_default`, keptFrom),
      ...shorter.map(({ tenants, days }) => ({ partition: table, tenants, from, before: ago(days) })),
    ],
  };
}

/** Tenants by their days: those with a number of their own, and all the others. */
function groupsOf(
  retentions: readonly { readonly tenantId: string; readonly days: number }[],
  defaultDays: number,
): Group[] {
  const byDays = Map.groupBy(retentions, ({ days }) => days);
  const own = [...byDays].map(([days, group]) => ({ days, tenants: { only: group.map(({ tenantId }) => tenantId) } }));
  return [{ days: defaultDays, tenants: { except: retentions.map(({ tenantId }) => tenantId) } }, ...own];
}
