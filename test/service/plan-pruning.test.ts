import { describe, expect, test } from 'vitest';
import { planPruning } from '../../src/service/plan-pruning.ts';
import { type DailyTable, type DayPartition, dailyTables, type PruneScope } from '../../src/store/retention.ts';

const now = new Date('2026-11-20T10:00:00Z');

function partitions(...days: string[]): DayPartition[] {
  const ofDay = (day: string) => (table: DailyTable) => ({
    table,
    name: `${table}_${day.replaceAll('-', '')}`,
    day: new Date(`${day}T00:00:00Z`),
  });
  return days.flatMap((day) => dailyTables.map(ofDay(day)));
}

function plan(
  retentions: { tenantId: string; days: number }[],
  change: { defaultDays?: number; eventDays?: number } = {},
) {
  const days = ['2026-10-19', '2026-10-20', '2026-10-21', '2026-11-11', '2026-11-12', '2026-11-13', '2026-11-20'];
  return planPruning({ now, defaultDays: 30, eventDays: 7, retentions, partitions: partitions(...days), ...change });
}

const names = (drops: readonly DayPartition[]) => drops.map(({ name }) => name);

function lines(scopes: readonly PruneScope[]): string[] {
  return scopes.map(({ partition, tenants, from, before }) =>
    [partition, JSON.stringify(tenants), from?.toISOString() ?? '', before.toISOString()].join(' '),
  );
}

describe('planPruning', () => {
  test('drops whole days that nobody keeps, events earlier than the rest', () => {
    const { drops } = plan([]);
    expect(names(drops)).toEqual([
      'delivery_attempts_20261019',
      'deliveries_20261019',
      'executions_20261019',
      'event_history_20261019',
      'delivery_attempts_20261020',
      'deliveries_20261020',
      'executions_20261020',
      'event_history_20261020',
      'event_history_20261021',
      'event_history_20261111',
      'event_history_20261112',
    ]);
  });

  test('deletes row by row only what has no partition of its day when everybody has the default', () => {
    const { executions, events } = plan([]);
    expect(lines(executions)).toEqual(['executions_default {"except":[]}  2026-10-21T10:00:00.000Z']);
    expect(lines(events)).toEqual(['event_history_default {"except":[]}  2026-11-13T10:00:00.000Z']);
  });

  test('deletes row by row for tenants with a shorter retention, their events too', () => {
    const { drops, executions, events } = plan([
      { tenantId: 'a', days: 3 },
      { tenantId: 'b', days: 10 },
      { tenantId: 'c', days: 3 },
    ]);
    expect(names(drops)).toEqual(names(plan([]).drops));
    expect(lines(executions).slice(1)).toEqual([
      'executions {"only":["a","c"]} 2026-10-21T00:00:00.000Z 2026-11-17T10:00:00.000Z',
      'executions {"only":["b"]} 2026-10-21T00:00:00.000Z 2026-11-10T10:00:00.000Z',
    ]);
    expect(lines(events).slice(1)).toEqual([
      'event_history {"only":["a","c"]} 2026-11-13T00:00:00.000Z 2026-11-17T10:00:00.000Z',
    ]);
  });

  test('keeps days for the tenant with the longest retention, and deletes those of the others row by row', () => {
    const { drops, executions } = plan([{ tenantId: 'long', days: 32 }]);
    expect(names(drops).filter((name) => name.startsWith('executions'))).toEqual([]);
    expect(lines(executions)).toEqual([
      'executions_default {"except":[]}  2026-10-19T10:00:00.000Z',
      'executions {"except":["long"]} 2026-10-19T00:00:00.000Z 2026-10-21T10:00:00.000Z',
    ]);
  });

  test('keeps events no longer than the executions they are of', () => {
    const { events, keptFrom } = plan([], { defaultDays: 2, eventDays: 7 });
    expect(keptFrom.events).toEqual(new Date('2026-11-18T10:00:00Z'));
    expect(lines(events)).toEqual(['event_history_default {"except":[]}  2026-11-18T10:00:00.000Z']);
  });
});
