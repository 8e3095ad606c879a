import type { Meter } from './meter.ts';

const shortNeedle = 16;

/**
 * Like `indexOf`, in linear time for any input and charged. The engine's own search is quadratic for needles such as
 * "b" + "a" * 250 in "a" * n; a short needle keeps that factor small, a longer one is searched by Knuth, Morris, Pratt.
 */
export function findText(haystack: string, needle: string, from: number, meter: Meter): number {
  if (needle.length <= shortNeedle) {
    const found = haystack.indexOf(needle, from);
    meter.read((found < 0 ? haystack.length : found) - from);
    return found;
  }
  if (haystack.length - from < needle.length) return -1;
  meter.read(haystack.length - from + needle.length);
  return findLongText(haystack, needle, from);
}

function findLongText(haystack: string, needle: string, from: number): number {
  const failure = failureOf(needle);
  let matched = 0;
  for (let index = from; index < haystack.length; index++) {
    const unit = haystack.charCodeAt(index);
    while (matched > 0 && needle.charCodeAt(matched) !== unit) matched = failure[matched - 1] ?? 0;
    if (needle.charCodeAt(matched) === unit) matched++;
    if (matched === needle.length) return index - needle.length + 1;
  }
  return -1;
}

/** For each prefix of the needle the length of its longest border. */
function failureOf(needle: string): Int32Array {
  const failure = new Int32Array(needle.length);
  let border = 0;
  for (let index = 1; index < needle.length; index++) {
    const unit = needle.charCodeAt(index);
    while (border > 0 && needle.charCodeAt(border) !== unit) border = failure[border - 1] ?? 0;
    if (needle.charCodeAt(border) === unit) border++;
    failure[index] = border;
  }
  return failure;
}
