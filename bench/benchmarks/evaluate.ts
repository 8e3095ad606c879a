import { nodeCpuMs } from '../../src/cli/bench/machine.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import {
  type AskRules,
  askCel,
  askJsonRulesEngine,
  askSift,
  askZen,
  ruleEngineSettings,
} from '../peers/rule-engines.ts';
import { compileFieldValues, orderEvent } from '../workloads/compiled-conditions.ts';
import { makeOrders, makeRules, type Rule, type RuleOrder } from '../workloads/rules.ts';

const ruleCount = 1_000;
const orderCount = 1_000;

/** How fast conditions are evaluated, all of them, without an index. */
export const evaluateBenchmark: Benchmark = {
  name: 'evaluate',
  about:
    '1,000 rules (1 to 4 comparisons, 11 operators, paths of up to 3 steps) asked about 1,000 events, one by one, without an index; with the trace that an explanation needs off and on; against rule engines with the same rules. Each engine is asked about as many of the events as it takes to measure it, others each round, and matches the same rules. The fastest of them is chosen in each round.',
  prepare: async (_server, scaled) => prepare(scaled),
};

type Contender = { readonly ask: AskRules; readonly ordersPerRound: number };

const ours = { off: 'Tocsin, trace off', on: 'Tocsin, trace on' };
const fastest = 'the fastest of the four';
const figure = 'evaluations/CPU s';

async function prepare(scaled: Scale): Promise<PreparedBenchmark> {
  const rules = makeRules(ruleCount);
  const orders = makeOrders(orderCount);
  const contenders: Record<string, Contender> = {
    [ours.off]: { ask: askTocsin(rules, orders, 'off'), ordersPerRound: scaled(3_000) },
    [ours.on]: { ask: askTocsin(rules, orders, 'on'), ordersPerRound: scaled(500) },
    'json-rules-engine': { ask: askJsonRulesEngine(rules), ordersPerRound: scaled(20) },
    sift: { ask: askSift(rules), ordersPerRound: scaled(500) },
    'cel-js': { ask: askCel(rules), ordersPerRound: scaled(1_000) },
    'zen-engine': { ask: askZen(rules), ordersPerRound: scaled(200) },
  };
  const expected = await Promise.all(orders.map((order) => contenders[ours.off]?.ask(order) ?? 0));
  let round = 0;
  const measureRound = async () => {
    const variants = Object.entries(contenders).map(([name, contender]) => [
      name,
      () => measureContender(contender, { orders, expected, round }),
    ]);
    const figures = await measureInTurn(Object.fromEntries(variants));
    round += 1;
    const peers = Object.keys(ruleEngineSettings).map((name) => figures[name]?.[figure] ?? 0);
    return { ...figures, [fastest]: { [figure]: Math.max(...peers) } };
  };
  await measureRound();
  return {
    settings: {
      rules: ruleCount,
      events: orderCount,
      'rules that match': matchShare(rules, orders),
      ...ruleEngineSettings,
    },
    comparisons: [
      { claim: 'trace off', variant: ours.off, peer: fastest, figure, target: { atLeast: 5 } },
      { claim: 'trace on', variant: ours.on, peer: fastest, figure, target: { atLeast: 1 } },
    ],
    measureRound,
    close: async () => undefined,
  };
}

function askTocsin(rules: readonly Rule[], orders: readonly RuleOrder[], trace: 'off' | 'on'): AskRules {
  const events = new Map(orders.map((order) => [order, orderEvent(order)]));
  const compiled = rules.map(({ predicates, print }) => ({ conditions: compileFieldValues(predicates), print }));
  return (order) => {
    const event = events.get(order) ?? orderEvent(order);
    const subject = { event, now: event.occurredAt };
    let sum = 0;
    for (const { conditions, print } of compiled) {
      const matches =
        trace === 'off'
          ? conditions.test(subject) === true
          : conditions.trace(subject).every(({ result }) => result === true);
      if (matches) sum += print;
    }
    return sum;
  };
}

/** Asks about the next of the events, and compares each answer. */
async function measureContender(
  { ask, ordersPerRound }: Contender,
  options: { orders: readonly RuleOrder[]; expected: readonly number[]; round: number },
): Promise<Figures> {
  const { orders, expected, round } = options;
  const answers: number[] = [];
  const first = (round * ordersPerRound) % orders.length;
  const cpuBefore = nodeCpuMs();
  const startedAt = performance.now();
  for (let asked = 0; asked < ordersPerRound; asked++) {
    const answer = ask(orders[(first + asked) % orders.length] as RuleOrder);
    answers.push(typeof answer === 'number' ? answer : await answer);
  }
  const ms = performance.now() - startedAt;
  const cpuMs = nodeCpuMs() - cpuBefore;
  const wrong = answers.filter((answer, asked) => answer !== expected[(first + asked) % orders.length]).length;
  if (wrong > 0) throw new WrongAnswer([`other rules match ${wrong} of ${ordersPerRound} events`]);
  const evaluations = ordersPerRound * ruleCount;
  return { 'evaluations/s': (evaluations / ms) * 1000, [figure]: (evaluations / cpuMs) * 1000 };
}

function matchShare(rules: readonly Rule[], orders: readonly RuleOrder[]): string {
  const compiled = rules.map(({ predicates }) => compileFieldValues(predicates));
  const sample = orders.slice(0, 100).map((order) => orderEvent(order));
  const matches = sample.flatMap((event) =>
    compiled.filter((rule) => rule.test({ event, now: event.occurredAt }) === true),
  );
  return `${((matches.length / sample.length / rules.length) * 100).toFixed(1)} %`;
}
