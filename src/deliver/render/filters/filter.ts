import type { Meter } from '../run/meter.ts';

/** An argument as far as it is known when the template is saved: its literal value, or undefined if it is computed. */
export type KnownArgument = string | number | boolean | null | undefined;

/** One filter of the language: `{{ value | name(argument, parameter=argument) }}`. */
export type Filter = {
  /** Names of the arguments in their order; more arguments or other names are refused at save. */
  readonly parameters: readonly string[];
  /** How many of them must be given; 0 if not said. */
  readonly required?: number;
  /** What is wrong with the literal arguments, as a sentence; undefined if nothing. */
  readonly check?: (known: readonly KnownArgument[]) => string | undefined;
  /** Total: gives undefined for what has no answer, and charges the meter before it allocates. */
  readonly apply: (value: unknown, given: readonly unknown[], meter: Meter) => unknown;
};

/** Filters of one family by name. */
export type FilterFamily = Readonly<Record<string, Filter>>;
