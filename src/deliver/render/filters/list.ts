import { type ExactNumber, isExactNumber } from '../../../model/decimal.ts';
import { limits } from '../limits.ts';
import { isEqual, order } from '../run/compare.ts';
import type { Meter } from '../run/meter.ts';
import { calculate } from '../run/number.ts';
import { isList, isRecord, keysOf, memberOf, textOf } from '../run/value.ts';
import { countOf, textOr } from './argument.ts';
import type { Filter, FilterFamily } from './filter.ts';

/** The elements of a list (as they are), of a text (its characters) or of an object (`{key, value}` each). */
function elementsOf(value: unknown, meter: Meter): readonly unknown[] {
  if (isList(value)) {
    meter.step(value.length);
    return value;
  }
  if (typeof value === 'string') {
    meter.step(value.length);
    return Array.from(value);
  }
  if (!isRecord(value)) return [];
  return keysOf(value, meter).map((key) => ({ key, value: memberOf(value, key) }));
}

/** Reads a dotted path in an element, as `sort(attribute="address.city")` does. */
function attributeReader(attribute: unknown, meter: Meter): (element: unknown) => unknown {
  if (attribute === undefined || attribute === null || attribute === '') return (element) => element;
  const path = textOf(attribute, meter).split('.', limits.depth);
  return (element) => {
    meter.step(path.length);
    return path.reduce(memberOf, element);
  };
}

const length: Filter = {
  parameters: [],
  apply: (value, _given, meter) => {
    if (typeof value === 'string' || isList(value)) return value.length;
    return isRecord(value) ? keysOf(value, meter).length : 0;
  },
};

const join: Filter = {
  parameters: ['separator', 'attribute'],
  apply: (value, [separator, attribute], meter) => {
    const between = textOr(separator, '', meter);
    const read = attributeReader(attribute, meter);
    let text = '';
    for (const [index, element] of elementsOf(value, meter).entries()) {
      const piece = textOf(read(element), meter);
      meter.build(piece.length + between.length);
      text += index === 0 ? piece : between + piece;
    }
    return text;
  },
};

const sort: Filter = {
  parameters: ['reverse', 'case_sensitive', 'attribute'],
  apply: (value, [reverse, caseSensitive, attribute], meter) => {
    const read = attributeReader(attribute, meter);
    const keyed = elementsOf(value, meter).map((element) => ({
      element,
      key: sortKey(read(element), caseSensitive, meter),
    }));
    keyed.sort((a, b) => (reverse ? -1 : 1) * sortOrder(a.key, b.key, meter));
    return keyed.map(({ element }) => element);
  },
};

function sortKey(value: unknown, caseSensitive: unknown, meter: Meter): unknown {
  if (typeof value !== 'string' || caseSensitive) return value;
  meter.build(value.length);
  return value.toLowerCase();
}

/** A total order: by kind first (numbers, text, the rest), so that mixed lists sort the same everywhere. */
function sortOrder(a: unknown, b: unknown, meter: Meter): number {
  meter.step();
  const byKind = kindOf(a) - kindOf(b);
  return byKind === 0 ? (order(a, b, meter) ?? 0) : byKind;
}

function kindOf(value: unknown): number {
  if (isExactNumber(value)) return 0;
  return typeof value === 'string' ? 1 : 2;
}

const dictsort: Filter = {
  parameters: ['case_sensitive', 'by'],
  check: ([, by]) =>
    by === undefined || by === 'key' || by === 'value' ? undefined : 'dictsort sorts by "key" or by "value"',
  apply: (value, [caseSensitive, by], meter) => {
    if (!isRecord(value)) return [];
    const pairs = keysOf(value, meter).map((key) => [key, memberOf(value, key)]);
    return sort.apply(pairs, [false, caseSensitive, by === 'value' ? '1' : '0'], meter);
  },
};

const reverse: Filter = {
  parameters: [],
  apply: (value, _given, meter) => {
    if (typeof value !== 'string') return elementsOf(value, meter).toReversed();
    meter.build(value.length);
    return Array.from(value).reverse().join('');
  },
};

const batch: Filter = {
  parameters: ['size', 'fill'],
  required: 1,
  apply: (value, [size, fill], meter) => {
    const elements = elementsOf(value, meter);
    const perRow = Math.max(1, countOf(size, 1, Number.MAX_SAFE_INTEGER));
    const rows: unknown[][] = [];
    for (let from = 0; from < elements.length; from += perRow) rows.push(elements.slice(from, from + perRow));
    fillUp(rows.at(-1), perRow, fill, meter);
    return rows;
  },
};

const slice: Filter = {
  parameters: ['slices', 'fill'],
  required: 1,
  apply: (value, [slices, fill], meter) => {
    const elements = elementsOf(value, meter);
    const count = Math.max(1, countOf(slices, 1, Number.MAX_SAFE_INTEGER));
    meter.step(count);
    const rows: unknown[][] = [];
    const [each, extra] = [Math.floor(elements.length / count), elements.length % count];
    for (let row = 0, from = 0; row < count; row++) {
      const to = from + each + (row < extra ? 1 : 0);
      rows.push(elements.slice(from, to));
      if (extra > 0) fillUp(rows[row], each + 1, fill, meter);
      from = to;
    }
    return rows;
  },
};

function fillUp(row: unknown[] | undefined, size: number, fill: unknown, meter: Meter): void {
  if (!row || fill === undefined || fill === null) return;
  meter.step(Math.max(0, size - row.length));
  while (row.length < size) row.push(fill);
}

const sum: Filter = {
  parameters: ['attribute', 'start'],
  apply: (value, [attribute, start], meter) => {
    const read = attributeReader(attribute, meter);
    const add = (total: ExactNumber | undefined, element: unknown) =>
      calculate('+', total ?? 0, read(element)) ?? total;
    return elementsOf(value, meter).reduce<ExactNumber | undefined>(add, calculate('+', start ?? 0, 0));
  },
};

/** Keeps the elements whose attribute is true (or equals the second argument, if given), or the others. */
function selecting(keeps: boolean): Filter {
  return {
    parameters: ['attribute', 'equals'],
    required: 1,
    apply: (value, [attribute, equals], meter) => {
      const read = attributeReader(attribute, meter);
      const matches = (found: unknown) => (equals === undefined ? Boolean(found) : isEqual(found, equals, meter));
      return elementsOf(value, meter).filter((element) => matches(read(element)) === keeps);
    },
  };
}

/** The element at one end of a list or the character at one end of a text. */
function atEnd(index: 0 | -1): Filter {
  return {
    parameters: [],
    apply: (value) => {
      if (typeof value !== 'string' && !isList(value)) return undefined;
      return memberOf(value, index === 0 ? 0 : value.length - 1);
    },
  };
}

/** Over lists; text counts as the list of its characters, an object as the list of its entries. */
export const listFilters: FilterFamily = {
  batch,
  dictsort,
  first: atEnd(0),
  join,
  last: atEnd(-1),
  length,
  list: { parameters: [], apply: (value, _given, meter) => elementsOf(value, meter) },
  rejectattr: selecting(false),
  reverse,
  selectattr: selecting(true),
  slice,
  sort,
  sum,
};
