import { limits } from '../limits.ts';
import { findText } from '../run/find-text.ts';
import type { Meter } from '../run/meter.ts';
import { textOf } from '../run/value.ts';
import { escapeHtml } from '../sinks/escape-html.ts';
import { countOf, inputText, textOr } from './argument.ts';
import type { Filter, FilterFamily } from './filter.ts';
import { stripTags } from './strip-tags.ts';

/** A filter from text to text without arguments, whose result is at most `growth` times as long. */
function plain(growth: number, change: (text: string) => string): Filter {
  return {
    parameters: [],
    apply: (value, _given, meter) => {
      const text = inputText(value, meter);
      meter.reserve(text.length * growth);
      const result = change(text);
      meter.build(result.length);
      return result;
    },
  };
}

const replace: Filter = {
  parameters: ['old', 'new', 'count'],
  required: 2,
  apply: (value, [old, replacement, count], meter) => {
    const text = inputText(value, meter);
    const needle = textOr(old, '', meter);
    const by = textOr(replacement, '', meter);
    const most = countOf(count, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    return needle === '' ? interleave(text, by, meter) : replaceText(text, { needle, by, most }, meter);
  },
};

/** As in Python: an empty needle stands before, between and after all characters. */
function interleave(text: string, by: string, meter: Meter): string {
  meter.build(text.length + (text.length + 1) * by.length);
  return by + text.split('').join(by) + by;
}

function replaceText(text: string, how: { needle: string; by: string; most: number }, meter: Meter): string {
  const { needle, by, most } = how;
  let result = '';
  let from = 0;
  for (let count = 0; count < most; count++) {
    const found = findText(text, needle, from, meter);
    if (found < 0) break;
    meter.build(found - from + by.length);
    result += text.slice(from, found) + by;
    from = found + needle.length;
  }
  meter.build(text.length - from);
  return result + text.slice(from);
}

const truncate: Filter = {
  parameters: ['length', 'killwords', 'end'],
  apply: (value, [length, killWords, end], meter) => {
    const text = inputText(value, meter);
    const most = countOf(length, 255, limits.builtChars) || 255;
    if (text.length <= most) return text;
    const blank = killWords ? -1 : text.lastIndexOf(' ', most);
    const result = text.slice(0, blank < 0 ? wholeCharacters(text, most) : blank) + textOr(end, '...', meter);
    meter.build(result.length);
    return result;
  },
};

/** How many units of the first `most` are whole characters: a surrogate pair is not cut in two. */
function wholeCharacters(text: string, most: number): number {
  return (text.codePointAt(most - 1) ?? 0) > 0xffff ? most - 1 : most;
}

const center: Filter = {
  parameters: ['width'],
  apply: (value, [width], meter) => {
    const text = inputText(value, meter);
    const wide = countOf(width, 80, Number.MAX_SAFE_INTEGER) || 80;
    if (text.length >= wide) return text;
    meter.build(wide);
    const left = (wide - text.length) >>> 1;
    return ' '.repeat(left) + text + ' '.repeat(wide - text.length - left);
  },
};

const indent: Filter = {
  parameters: ['width', 'first'],
  apply: (value, [width, first], meter) => {
    const text = inputText(value, meter);
    const wide = countOf(width, 4, Number.MAX_SAFE_INTEGER) || 4;
    meter.reserve(wide);
    const lines = text.split('\n');
    meter.step(lines.length);
    meter.build(text.length + lines.length * wide);
    const margin = ' '.repeat(wide);
    return (first ? margin : '') + lines.join(`\n${margin}`);
  },
};

const striptags: Filter = {
  parameters: ['preserve_linebreaks'],
  apply: (value, [keepLines], meter) => {
    const text = inputText(value, meter);
    meter.build(text.length);
    return stripTags(text, Boolean(keepLines));
  },
};

const wordcount: Filter = {
  parameters: [],
  apply: (value, _given, meter) => {
    let count = 0;
    for (const _word of inputText(value, meter).matchAll(/[\p{L}\p{N}_]+/gu)) {
      meter.step();
      count++;
    }
    return count;
  },
};

const urlencode: Filter = {
  parameters: [],
  apply: (value, _given, meter) => {
    const text = inputText(value, meter);
    meter.reserve(text.length * 9);
    const encoded = encodeURIComponent(text.toWellFormed());
    meter.build(encoded.length);
    return encoded;
  },
};

const escapeFilter = plain(6, escapeHtml);

/** Text to text. */
export const textFilters: FilterFamily = {
  capitalize: plain(3, capitalize),
  center,
  e: escapeFilter,
  escape: escapeFilter,
  indent,
  lower: plain(3, (text) => text.toLowerCase()),
  replace,
  string: { parameters: [], apply: (value, _given, meter) => textOf(value, meter) },
  striptags,
  title: plain(3, (text) => text.split(' ').map(capitalize).join(' ')),
  trim: plain(1, (text) => text.trim()),
  truncate,
  upper: plain(3, (text) => text.toUpperCase()),
  urlencode,
  wordcount,
};

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}
