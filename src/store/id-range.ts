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
