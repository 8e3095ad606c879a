import { jsonTextOf } from '../run/value.ts';
import { countOf } from './argument.ts';
import { date } from './date.ts';
import type { Filter, FilterFamily } from './filter.ts';
import { listFilters } from './list.ts';
import { numberFilters } from './number.ts';
import { textFilters } from './text.ts';

const fallback: Filter = {
  parameters: ['value', 'boolean'],
  required: 1,
  apply: (value, [instead, alsoFalse]) => {
    if (alsoFalse) return value || instead;
    return value === undefined || value === null ? instead : value;
  },
};

const json: Filter = {
  parameters: ['indent'],
  apply: (value, [indent], meter) => jsonTextOf(value, meter, { indent: ' '.repeat(countOf(indent, 0, 10)) }),
};

const families: readonly FilterFamily[] = [
  textFilters,
  listFilters,
  numberFilters,
  { date, default: fallback, d: fallback, dump: json, json },
];

/** Every filter of the language by name; a filter that is not here does not exist. `nl2br` is part of the html output. */
export const filters: ReadonlyMap<string, Filter> = new Map(families.flatMap((family) => Object.entries(family)));
