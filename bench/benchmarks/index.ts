import type { Benchmark } from '../benchmark.ts';
import { backlogBenchmark } from './backlog.ts';
import { captureBulkBenchmark } from './capture-bulk.ts';
import { capturePacedBenchmark } from './capture-paced.ts';
import { captureSaturatedBenchmark } from './capture-saturated.ts';
import { captureTransactionBenchmark } from './capture-transaction.ts';
import { captureUpdateBenchmark } from './capture-update.ts';
import { mailsBenchmark, webhooksBenchmark } from './deliveries.ts';
import { drainBenchmark } from './drain.ts';
import { drainPeersBenchmark } from './drain-peers.ts';
import { evaluateBenchmark } from './evaluate.ts';
import { fairnessBenchmark } from './fairness.ts';
import { fairnessWebhooksBenchmark } from './fairness-webhooks.ts';
import { fanOutBenchmark } from './fan-out.ts';
import { growthBenchmark, growthMillionBenchmark } from './growth.ts';
import { latencyBenchmark } from './latency.ts';
import { latencyLoadBenchmark } from './latency-load.ts';
import { manyWorkflowsBenchmark } from './many-workflows.ts';
import { matchBenchmark } from './match.ts';
import { renderBenchmark } from './render.ts';
import { scaleOutBenchmark } from './scale-out.ts';
import { soakBenchmark } from './soak.ts';
import { webhookLatencyBenchmark } from './webhook-latency.ts';

/** All benchmarks, in the order they run. */
export const benchmarks: readonly Benchmark[] = [
  drainBenchmark,
  drainPeersBenchmark,
  scaleOutBenchmark,
  capturePacedBenchmark,
  captureTransactionBenchmark,
  captureSaturatedBenchmark,
  captureUpdateBenchmark,
  captureBulkBenchmark,
  latencyBenchmark,
  latencyLoadBenchmark,
  webhookLatencyBenchmark,
  renderBenchmark,
  webhooksBenchmark,
  mailsBenchmark,
  fanOutBenchmark,
  evaluateBenchmark,
  matchBenchmark,
  manyWorkflowsBenchmark,
  growthBenchmark,
  growthMillionBenchmark,
  fairnessBenchmark,
  fairnessWebhooksBenchmark,
  backlogBenchmark,
  soakBenchmark,
];
