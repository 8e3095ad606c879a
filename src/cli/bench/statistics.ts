/** Median of the rounds with what was least and most. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number };

/** @param values one per round, at least one */
export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** The value below which `share` of the values lie, between two of them where it falls between. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('no values were measured');
  const sorted = values.toSorted((one, other) => one - other);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}
