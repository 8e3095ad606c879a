import type { Benchmark as BenchmarkOn } from '../src/cli/bench/benchmark.ts';
import type { BenchServer } from './measure/server.ts';

export {
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Round,
  type Scale,
  WrongAnswer,
} from '../src/cli/bench/benchmark.ts';

/** A benchmark on the PostgreSQL of a run. */
export type Benchmark = BenchmarkOn<BenchServer>;
