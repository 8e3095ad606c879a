import type { Benchmark, Comparison, Figures, PreparedBenchmark, Round, Scale } from './benchmark.ts';
import { type Spread, spread } from './statistics.ts';

/** What a benchmark came to. */
export type BenchmarkResult = {
  readonly name: string;
  readonly about: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly rounds: readonly Round[];
  readonly seconds: number;
  /** By variant, then by figure. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, Spread>>>>;
  readonly ratios: readonly (Comparison & { readonly ratio: Spread; readonly isReached: boolean | null })[];
  /** Why the result is worth nothing; null when every answer was right. */
  readonly failure: string | null;
};

/**
 * Runs the rounds and sums them up. What a variant did wrong ends the benchmark and is told, with the rounds before; what is
 * left open then goes with the process.
 */
export async function runBenchmark<Server>(
  benchmark: Benchmark<Server>,
  options: { server: Server; rounds: number; scaled: Scale; onProgress: (line: string) => void },
): Promise<BenchmarkResult> {
  const { server, scaled, onProgress } = options;
  const startedAt = performance.now();
  const rounds: Round[] = [];
  let prepared: PreparedBenchmark | undefined;
  let failure: string | null = null;
  try {
    onProgress(`${benchmark.name}: preparing`);
    prepared = await benchmark.prepare(server, scaled);
    while (rounds.length < options.rounds) {
      onProgress(`${benchmark.name}: round ${rounds.length + 1} of ${options.rounds}`);
      rounds.push(await prepared.measureRound());
    }
    await prepared.close();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  return {
    name: benchmark.name,
    about: benchmark.about,
    settings: prepared?.settings ?? {},
    rounds,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    figures: summarize(rounds),
    ratios: (prepared?.comparisons ?? [])
      .filter(({ variant, peer, figure }) => rounds[0]?.[peer ?? variant]?.[figure] !== undefined)
      .map((comparison) => compare(comparison, rounds)),
    failure,
  };
}

function summarize(rounds: readonly Round[]): Record<string, Record<string, Spread>> {
  const variants = Object.keys(rounds[0] ?? {}).sort();
  return Object.fromEntries(
    variants.map((variant) => {
      const figures = Object.keys(rounds[0]?.[variant] ?? {});
      return [
        variant,
        Object.fromEntries(
          figures.map((figure) => [figure, spread(rounds.map((round) => figureOf(round, variant, figure)))]),
        ),
      ];
    }),
  );
}

function compare(comparison: Comparison, rounds: readonly Round[]): BenchmarkResult['ratios'][number] {
  const { variant, peer, figure, target } = comparison;
  const ratio = spread(
    rounds.map((round) => figureOf(round, variant, figure) / (peer === null ? 1 : figureOf(round, peer, figure))),
  );
  return { ...comparison, ratio, isReached: target === undefined ? null : reaches(ratio.median, target) };
}

function reaches(ratio: number, target: NonNullable<Comparison['target']>): boolean {
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

function figureOf(round: Round, variant: string, figure: string): number {
  const figures: Figures | undefined = round[variant];
  const value = figures?.[figure];
  if (value === undefined) throw new Error(`the round has no "${figure}" of "${variant}"`);
  return value;
}
