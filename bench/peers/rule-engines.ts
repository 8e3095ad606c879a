import { ZenEngine } from '@gorules/zen-engine';
import { Environment } from '@marcbachmann/cel-js';
import { Engine } from 'json-rules-engine';
import sift from 'sift';
import {
  type Predicate,
  type Rule,
  type RuleOperator,
  type RuleOrder,
  type RuleValue,
  ruleFields,
  valueAt,
} from '../workloads/rules.ts';

/** Asks every rule about an order; answers the sum of the prints of those that match. */
export type AskRules = (order: RuleOrder) => number | Promise<number>;

/** How each engine is set, for the report. */
export const ruleEngineSettings = {
  'json-rules-engine': 'one engine with all rules, facts given flat, so that no path is resolved',
  sift: 'a filter per rule, made once',
  'cel-js': 'an expression per rule, parsed once, variable declared as a map',
  'zen-engine': 'one decision table, a row per rule, hit policy collect',
};

/** json-rules-engine. Texts are compared by operators of our own, as its documentation says. */
export function askJsonRulesEngine(rules: readonly Rule[]): AskRules {
  const engine = new Engine();
  engine.addOperator('startsWith', (text: string, start: string) => text.startsWith(start));
  engine.addOperator('endsWith', (text: string, end: string) => text.endsWith(end));
  engine.addOperator('includes', (text: string, part: string) => text.includes(part));
  for (const { predicates, print } of rules) {
    engine.addRule({
      conditions: {
        all: predicates.map(({ field, operator, value }) => ({
          fact: field,
          operator: jsonRulesNames[operator],
          value,
        })),
      },
      event: { type: 'match', params: { print } },
    });
  }
  return async (order) => {
    const { events } = await engine.run(Object.fromEntries(ruleFields.map((field) => [field, valueAt(order, field)])));
    return events.reduce((sum, { params }) => sum + Number(params?.print), 0);
  };
}

const jsonRulesNames: Record<RuleOperator, string> = {
  eq: 'equal',
  neq: 'notEqual',
  gt: 'greaterThan',
  gte: 'greaterThanInclusive',
  lt: 'lessThan',
  lte: 'lessThanInclusive',
  in: 'in',
  nin: 'notIn',
  contains: 'includes',
  startswith: 'startsWith',
  endswith: 'endsWith',
};

/** sift: MongoDB filters. */
export function askSift(rules: readonly Rule[]): AskRules {
  const compiled = rules.map(({ predicates, print }) => ({
    test: sift.default<RuleOrder>(
      Object.fromEntries(predicates.map((predicate) => [predicate.field, siftFilter(predicate)])),
    ),
    print,
  }));
  return (order) => {
    let sum = 0;
    for (const { test, print } of compiled) if (test(order)) sum += print;
    return sum;
  };
}

/** Our texts hold nothing that a regular expression reads as a sign. */
function siftFilter({ operator, value }: Predicate): Record<string, unknown> {
  switch (operator) {
    case 'neq':
      return { $ne: value };
    case 'contains':
      return { $regex: new RegExp(String(value)) };
    case 'startswith':
      return { $regex: new RegExp(`^${value}`) };
    case 'endswith':
      return { $regex: new RegExp(`${value}$`) };
    default:
      return { [`$${operator}`]: value };
  }
}

/** cel-js: Common Expression Language. */
export function askCel(rules: readonly Rule[]): AskRules {
  const environment = new Environment().registerVariable('order', 'map');
  const compiled = rules.map(({ predicates, print }) => ({
    test: environment.parse(predicates.map(celText).join(' && ')),
    print,
  }));
  return (order) => {
    let sum = 0;
    const context = { order };
    for (const { test, print } of compiled) if (test(context) === true) sum += print;
    return sum;
  };
}

function celText({ field, operator, value }: Predicate): string {
  const left = `order.${field}`;
  const right = Array.isArray(value) ? `[${value.map(celLiteral).join(', ')}]` : celLiteral(value as RuleValue);
  switch (operator) {
    case 'nin':
      return `!(${left} in ${right})`;
    case 'contains':
      return `${left}.contains(${right})`;
    case 'startswith':
      return `${left}.startsWith(${right})`;
    case 'endswith':
      return `${left}.endsWith(${right})`;
    default:
      return `${left} ${comparisonSigns[operator]} ${right}`;
  }
}

const comparisonSigns = { eq: '==', neq: '!=', gt: '>', gte: '>=', lt: '<', lte: '<=', in: 'in' } as const;

/** Numbers of JavaScript are doubles to CEL. */
function celLiteral(value: RuleValue): string {
  return typeof value === 'number' ? value.toFixed(1) : JSON.stringify(value);
}

/** zen-engine: a decision table. */
export function askZen(rules: readonly Rule[]): AskRules {
  const decision = new ZenEngine().createDecision(zenTable(rules));
  return async (order) => {
    const { result }: { result: readonly { print: number }[] } = await decision.evaluate(order);
    return result.reduce((sum, { print }) => sum + print, 0);
  };
}

function zenTable(rules: readonly Rule[]): object {
  const position = { x: 0, y: 0 };
  return {
    nodes: [
      { id: 'request', type: 'inputNode', name: 'request', position },
      {
        id: 'rules',
        type: 'decisionTableNode',
        name: 'rules',
        position,
        content: {
          hitPolicy: 'collect',
          inputs: ruleFields.map((field) => ({ id: field, type: 'expression', name: field, field })),
          outputs: [{ id: 'print', type: 'expression', name: 'print', field: 'print' }],
          rules: rules.map(({ predicates, print }, index) => ({
            _id: String(index),
            ...Object.fromEntries(ruleFields.map((field) => [field, ''])),
            ...Object.fromEntries(predicates.map((predicate) => [predicate.field, zenText(predicate)])),
            print: String(print),
          })),
        },
      },
      { id: 'response', type: 'outputNode', name: 'response', position },
    ],
    edges: [
      { id: 'in', type: 'edge', sourceId: 'request', targetId: 'rules' },
      { id: 'out', type: 'edge', sourceId: 'rules', targetId: 'response' },
    ],
  };
}

/** A cell: `$` is the field. */
function zenText({ operator, value }: Predicate): string {
  const right = JSON.stringify(value);
  switch (operator) {
    case 'nin':
      return `$ not in ${right}`;
    case 'contains':
      return `contains($, ${right})`;
    case 'startswith':
      return `startsWith($, ${right})`;
    case 'endswith':
      return `endsWith($, ${right})`;
    default:
      return `$ ${comparisonSigns[operator]} ${right}`;
  }
}
