/**
 * The range of all ids with the moments of two time-ordered ids and between them: what was derived from them is in it, and
 * other partitions are not.
 */
export function idRange(first: string, last: string): { lowest: string; highest: string } {
  return {
    lowest: `${first.slice(0, 13)}-0000-0000-000000000000`,
    highest: `${last.slice(0, 13)}-ffff-ffff-ffffffffffff`,
  };
}

/** The same of any number of ids, at least one, in whatever order. */
export function idRangeOf(ids: readonly string[]): { lowest: string; highest: string } {
  const [some = ''] = ids;
  let [first, last] = [some, some];
  for (const id of ids) {
    if (id < first) first = id;
    if (id > last) last = id;
  }
  return idRange(first, last);
}
