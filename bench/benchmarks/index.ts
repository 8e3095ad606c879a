import type { Benchmark } from '../benchmark.ts';
import { captureBulkBenchmark } from './capture-bulk.ts';
import { capturePacedBenchmark } from './capture-paced.ts';
import { captureSaturatedBenchmark } from './capture-saturated.ts';
import { drainBenchmark } from './drain.ts';
import { latencyBenchmark } from './latency.ts';

/** All benchmarks, in the order they run. */
export const benchmarks: readonly Benchmark[] = [
  drainBenchmark,
  capturePacedBenchmark,
  captureSaturatedBenchmark,
  captureBulkBenchmark,
  latencyBenchmark,
];
