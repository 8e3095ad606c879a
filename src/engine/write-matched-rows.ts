import type { Runner } from '../store/connection.ts';
import {
  insertExecutions,
  insertFirstDeliveries,
  insertFirstNotifications,
  type NewDelivery,
} from '../store/write-plan.ts';
import type { MatchedRows } from './match-batch.ts';

/** Writes all rows but the deliveries in `without`, in one flight. */
export function writeMatchedRows(
  runner: Runner,
  rows: MatchedRows,
  without: readonly NewDelivery[] = [],
): Promise<unknown>[] {
  const deliveries = without.length === 0 ? rows.deliveries : rows.deliveries.filter((row) => !without.includes(row));
  return [
    insertExecutions(runner, rows.executions),
    insertFirstDeliveries(runner, deliveries),
    insertFirstNotifications(runner, rows.notifications),
  ];
}
