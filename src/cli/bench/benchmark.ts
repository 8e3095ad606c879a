/** What one variant showed in one round; the key names the figure with its unit (`events/s`, `p99 ms`). */
export type Figures = Readonly<Record<string, number>>;

/** What every variant showed in one round, by name of the variant. */
export type Round = Readonly<Record<string, Figures>>;

/** A claim: a figure of one variant is so many times that of another, in the same round. */
export type Comparison = {
  readonly claim: string;
  readonly variant: string;
  /** Null: the figure itself is held to the target. */
  readonly peer: string | null;
  readonly figure: string;
  /** What the ratio is to reach; none when it is only told. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
};

/** So many of something at the scale of the run, at least one: `scaled(40_000)`. Results are measured at scale 1. */
export type Scale = (count: number) => number;

/** A benchmark: things measured against peers in the same minutes. */
export type Benchmark<Server> = {
  /** What `--only` takes. */
  readonly name: string;
  /** A sentence: what is measured against what. */
  readonly about: string;
  /** It takes minutes: it runs only when it is named. */
  readonly isLong?: true;
  /** Makes what the rounds need and warms up. */
  readonly prepare: (server: Server, scaled: Scale) => Promise<PreparedBenchmark>;
};

export type PreparedBenchmark = {
  /** What a reader must know to repeat it, by name. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly comparisons: readonly Comparison[];
  /**
   * Measures every variant once, in a changing order, and checks what it did.
   *
   * @throws when a variant did not do its work, `WrongAnswer` when it seemed to
   */
  readonly measureRound: () => Promise<Round>;
  readonly close: () => Promise<void>;
};

/** What was measured was fast, and wrong. */
export class WrongAnswer extends Error {
  constructor(broken: readonly string[]) {
    super(['the work was not done:', ...broken].join('\n  '));
  }
}

/** Measures each variant once, in an order of chance, so that what the machine does meanwhile meets all of them. */
export async function measureInTurn(variants: Readonly<Record<string, () => Promise<Figures>>>): Promise<Round> {
  const order = Object.entries(variants)
    .map(([name, measure]) => ({ name, measure, rank: Math.random() }))
    .sort((one, other) => one.rank - other.rank);
  const round: Record<string, Figures> = {};
  for (const { name, measure } of order) {
    try {
      round[name] = await measure();
    } catch (error) {
      throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  return round;
}
