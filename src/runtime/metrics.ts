import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Quotas, unlimited } from '../model/quota.ts';
import type { Database } from '../store/database.ts';
import { type Backlog, readBacklog } from '../store/health.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';
import { countThrottled } from '../store/tenant-usage.ts';

/** What a worker measures of itself and of the work that waits, in the Prometheus text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #events = this.#counter('tocsin_events_matched_total', 'Events this worker matched.', []);
  readonly #executions = this.#counter('tocsin_executions_total', 'Executions this worker wrote, by status.', [
    'status',
  ]);
  readonly #loops = this.#counter(
    'tocsin_loops_detected_total',
    'Executions that were stopped because workflows led to themselves.',
    [],
  );
  readonly #paused = this.#counter('tocsin_workflows_paused_total', 'Workflows paused because they only failed.', []);
  readonly #attempts = this.#counter(
    'tocsin_delivery_attempts_total',
    'Delivery attempts, by action type and outcome.',
    ['action', 'outcome'],
  );
  readonly #durations = new Histogram({
    name: 'tocsin_delivery_attempt_seconds',
    help: 'How long delivery attempts took.',
    labelNames: ['action'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60],
    registers: [this.#registry],
  });
  readonly #captureProblems = this.#gauge(
    'tocsin_capture_problems',
    'Captured tables whose triggers are not as installed: their changes may be lost.',
  );
  readonly #oldestTransaction = this.#gauge(
    'tocsin_oldest_transaction_seconds',
    'Age of the oldest transaction that keeps vacuum from removing dead rows (looked at by stage maintain).',
  );
  readonly #errors = this.#counter('tocsin_errors_total', 'Errors of background loops, by loop.', ['loop']);

  readonly #database: Database;
  readonly #gauges: Readonly<Record<keyof Backlog, Gauge>> = {
    events: this.#gauge('tocsin_events_waiting', 'Events not matched yet (counted up to 100,000).'),
    oldestEventSeconds: this.#gauge(
      'tocsin_oldest_event_seconds',
      'Age of the oldest event that waits, but not for a quota: the lag.',
    ),
    executions: this.#gauge('tocsin_executions_pending', 'Executions that wait to be planned.'),
    deliveries: this.#gauge('tocsin_deliveries_pending', 'Deliveries that wait for an attempt.'),
    oldestDueSeconds: this.#gauge('tocsin_oldest_due_seconds', 'How long the longest due delivery has been due.'),
    deadDeliveries: this.#gauge('tocsin_dead_deliveries', 'Deliveries given up: dead letters.'),
    failedEvents: this.#gauge('tocsin_failed_events', 'Events given up: dead letters.'),
    openEndpoints: this.#gauge('tocsin_endpoints_open', 'Endpoints of webhooks that are paused or disabled.'),
  };

  readonly #throttled = new Gauge({
    name: 'tocsin_tenants_throttled',
    help: 'Tenants that have used up a quota of this minute, by quota.',
    labelNames: ['quota'],
    registers: [this.#registry],
  });
  readonly #quotas: Quotas;

  /** `quotas` are those of tenants that have none of their own; default none. */
  constructor(database: Database, quotas: Quotas = unlimited) {
    this.#database = database;
    this.#quotas = quotas;
  }

  eventsMatched(count: number): void {
    this.#events.inc(count);
  }

  executionWritten(status: string): void {
    this.#executions.inc({ status });
  }

  loopsDetected(count: number): void {
    this.#loops.inc(count);
  }

  workflowsPaused(count: number): void {
    this.#paused.inc(count);
  }

  attemptsRecorded(records: readonly AttemptRecord[]): void {
    for (const record of records) {
      if (record.outcome === 'postponed') continue;
      const action = record.actionType;
      this.#attempts.inc({ action, outcome: record.next === 'dead' ? 'dead' : record.outcome });
      this.#durations.observe({ action }, record.durationMs / 1000);
    }
  }

  captureProblems(count: number): void {
    this.#captureProblems.set(count);
  }

  oldestTransaction(seconds: number): void {
    this.#oldestTransaction.set(seconds);
  }

  loopFailed(loop: string): void {
    this.#errors.inc({ loop });
  }

  async render(): Promise<{ contentType: string; body: string }> {
    const { pool } = this.#database;
    const { eventsPerMinute: events, deliveriesPerMinute: deliveries } = this.#quotas;
    const [backlog, throttled] = await Promise.all([
      readBacklog(pool, this.#quotas),
      countThrottled(pool, { defaults: { events, deliveries }, windowMs: 60_000 }),
    ]);
    this.#throttled.set({ quota: 'events_per_minute' }, throttled.events);
    this.#throttled.set({ quota: 'deliveries_per_minute' }, throttled.deliveries);
    for (const [name, gauge] of Object.entries(this.#gauges)) gauge.set(backlog[name as keyof Backlog]);
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] });
  }
}
