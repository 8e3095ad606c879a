import { Random } from './random.ts';

/** The comparisons that every engine of the benchmark knows, under our names. */
export type RuleOperator =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'in'
  | 'nin'
  | 'contains'
  | 'startswith'
  | 'endswith';

export type RuleValue = string | number | boolean;

/** A comparison of a field, by its dotted path, with a value or a list of values. */
export type Predicate = {
  readonly field: string;
  readonly operator: RuleOperator;
  readonly value: RuleValue | readonly RuleValue[];
};

/** Predicates that must all be true; no field twice. `print` stands for the rule in sums that are compared. */
export type Rule = { readonly predicates: readonly Predicate[]; readonly print: number };

/** An order, with every field that rules ask for. */
export type RuleOrder = {
  readonly status: string;
  readonly total: number;
  readonly items: number;
  readonly paid: boolean;
  readonly customer: {
    readonly name: string;
    readonly country: string;
    readonly address: { readonly city: string };
  };
};

const statuses = ['new', 'approved', 'shipped', 'returned', 'closed'];
const countries = ['AT', 'DE', 'CH', 'FR', 'IT', 'ES', 'PL', 'CZ', 'NL', 'BE'];
const cities = ['Vienna', 'Graz', 'Berlin', 'Bern', 'Paris', 'Lyon', 'Rome', 'Milan', 'Madrid', 'Prague', 'Ghent'];
const firstNames = ['Ann', 'Bob', 'Cleo', 'Dora', 'Emil', 'Finn', 'Greta', 'Hugo'];
const lastNames = ['Archer', 'Baker', 'Carter', 'Dyer', 'Fisher', 'Miller', 'Potter', 'Turner'];

export const ruleFields = [
  'status',
  'total',
  'items',
  'paid',
  'customer.name',
  'customer.country',
  'customer.address.city',
] as const;

/** Orders of chance, the same on every machine. */
export function makeOrders(count: number): RuleOrder[] {
  const random = new Random(1);
  return Array.from({ length: count }, () => ({
    status: random.pick(statuses),
    total: random.below(10_000),
    items: 1 + random.below(20),
    paid: random.share() < 0.5,
    customer: {
      name: `${random.pick(firstNames)} ${random.pick(lastNames)}`,
      country: random.pick(countries),
      address: { city: random.pick(cities) },
    },
  }));
}

/** Rules of chance over such orders: one to four predicates, two and a half on average, all operators. */
export function makeRules(count: number): Rule[] {
  const random = new Random(2);
  return Array.from({ length: count }, () => ({
    predicates: random.some(ruleFields, random.pick([1, 2, 2, 3, 3, 4])).map((field) => makePredicate(field, random)),
    print: 1 + random.below(2 ** 30),
  }));
}

function makePredicate(field: (typeof ruleFields)[number], random: Random): Predicate {
  switch (field) {
    case 'status':
      return wordPredicate(field, statuses, random);
    case 'customer.country':
      return wordPredicate(field, countries, random);
    case 'customer.address.city':
      return wordPredicate(field, cities, random);
    case 'total':
      return numberPredicate(field, 10_000, random);
    case 'items':
      return numberPredicate(field, 20, random);
    case 'paid':
      return { field, operator: 'eq', value: random.share() < 0.5 };
    case 'customer.name':
      return textPredicate(field, random);
  }
}

function wordPredicate(field: string, words: readonly string[], random: Random): Predicate {
  const operator = random.pick(['eq', 'neq', 'in', 'nin'] as const);
  const isList = operator === 'in' || operator === 'nin';
  return { field, operator, value: isList ? random.some(words, 3) : random.pick(words) };
}

function numberPredicate(field: string, limit: number, random: Random): Predicate {
  return { field, operator: random.pick(['gt', 'gte', 'lt', 'lte'] as const), value: random.below(limit) };
}

function textPredicate(field: string, random: Random): Predicate {
  switch (random.pick(['contains', 'startswith', 'endswith'] as const)) {
    case 'contains':
      return { field, operator: 'contains', value: random.pick(['er', 'an', 'ch', 'o T']) };
    case 'startswith':
      return { field, operator: 'startswith', value: random.pick(firstNames) };
    case 'endswith':
      return { field, operator: 'endswith', value: random.pick(lastNames) };
  }
}

/** What stands in an order at a dotted path. */
export function valueAt(order: RuleOrder, field: string): RuleValue {
  let value: unknown = order;
  for (const key of field.split('.')) value = (value as Record<string, unknown>)[key];
  return value as RuleValue;
}
