import type { Benchmark } from '../benchmark.ts';
import { drainBenchmark } from './drain.ts';
import { latencyBenchmark } from './latency.ts';

/** All benchmarks, in the order they run. */
export const benchmarks: readonly Benchmark[] = [drainBenchmark, latencyBenchmark];
