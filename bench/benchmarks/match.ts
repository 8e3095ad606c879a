import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { nodeCpuMs } from '../../src/cli/bench/machine.ts';
import { type IndexedWorkflow, WorkflowIndex } from '../../src/match/workflow-index.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import { type IndexWorkload, makeIndexedEvents, makeIndexedWorkflows } from '../workloads/indexed-rules.ts';

/** How the time to find an event's workflows grows with their number. */
export const matchBenchmark: Benchmark = {
  name: 'match',
  about:
    "An event against 1,000 and 100,000 workflows of one tenant on one entity type and operation, keyed (each names a customer, half of them more) or range only (each asks for a narrow range of the total); against a loop over the same compiled conditions; against what any look-up costs in so much more memory: a Map from customer to workflows; and adding a workflow to an index of 100,000, pauses of the garbage collector told apart. The loop's answers are compared.",
  prepare: async (_server, scaled) => prepare(scaled),
};

type Course = {
  readonly workflows: readonly IndexedWorkflow<number>[];
  readonly index: WorkflowIndex<number>;
  readonly events: readonly WorkflowEvent[];
  /** Workflows by customer, as many as the events find: what a search cannot do without. */
  readonly byCustomer: ReadonlyMap<number, readonly { readonly value: number }[]>;
};

const figure = 'CPU us/event';
/** So that a measurement takes a tenth of a second and more. */
const passes = 100;

async function prepare(scaled: Scale): Promise<PreparedBenchmark> {
  const [few, many] = [1_000, 100_000];
  const courses = {
    'keyed, 1,000': layCourse('keyed', few),
    'keyed, 100,000': layCourse('keyed', many),
    'range, 1,000': layCourse('range', few),
    'range, 100,000': layCourse('range', many),
  };
  const more = makeIndexedWorkflows('keyed', { count: many + scaled(10_000), of: many }).slice(many);
  const variants = {
    ...Object.fromEntries(Object.entries(courses).map(([name, course]) => [name, async () => measureIndex(course)])),
    'Map, 1,000': async () => measureMap(courses['keyed, 1,000']),
    'Map, 100,000': async () => measureMap(courses['keyed, 100,000']),
    'loop, keyed, 100,000': async () => measureLoop(courses['keyed, 100,000']),
    'loop, range, 100,000': async () => measureLoop(courses['range, 100,000']),
    'adding one': () => measureAdding(courses['keyed, 100,000'], more),
  };
  for (const warmUp of Object.values(variants)) await warmUp();
  const tell = (workload: IndexWorkload) => ({ variant: `${workload}, 100,000`, peer: `${workload}, 1,000`, figure });
  const loop = (workload: IndexWorkload) => ({
    variant: `loop, ${workload}, 100,000`,
    peer: `${workload}, 100,000`,
    figure,
  });
  return {
    settings: { workflows: `${few} and ${many}`, 'of the loop': `${loopEvents} events` },
    comparisons: [
      { claim: 'keyed: 100,000 against 1,000', ...tell('keyed'), target: { atMost: 5 } },
      { claim: 'range: 100,000 against 1,000', ...tell('range'), target: { atMost: 12 } },
      { claim: 'a Map: 100,000 against 1,000', variant: 'Map, 100,000', peer: 'Map, 1,000', figure },
      { claim: 'a loop takes longer, keyed', ...loop('keyed'), target: { atLeast: 1_000 } },
      { claim: 'a loop takes longer, range', ...loop('range') },
      { claim: 'adding one', variant: 'adding one', peer: null, figure: 'CPU us', target: { atMost: 5 } },
      { claim: 'longest pause', variant: 'adding one', peer: null, figure: 'longest ms', target: { atMost: 1 } },
    ],
    measureRound: () => measureInTurn(variants),
    close: async () => undefined,
  };
}

const eventCount = 2_000;
const loopEvents = 20;

function layCourse(workload: IndexWorkload, count: number): Course {
  const workflows = makeIndexedWorkflows(workload, { count, of: count });
  const index = new WorkflowIndex<number>();
  for (const workflow of workflows) index.add(workflow);
  const events = makeIndexedEvents({ count: eventCount, of: count });
  const customers = Math.max(1, Math.round(count / 10));
  const byCustomer = Map.groupBy(
    workflows.map(({ value }) => ({ value })),
    ({ value }) => value % customers,
  );
  const course = { workflows, index, events, byCustomer };
  checkMatches(course);
  return course;
}

/** The index finds what a loop over all finds. */
function checkMatches({ workflows, index, events }: Course): void {
  for (const event of events.slice(0, loopEvents)) {
    const found = index
      .match(event, event.occurredAt)
      .map(({ value }) => value)
      .sort((one, other) => one - other);
    const expected = askAll(workflows, event);
    if (found.join() !== expected.join())
      throw new WrongAnswer([`found ${found.join()} instead of ${expected.join()}`]);
  }
}

function askAll(workflows: readonly IndexedWorkflow<number>[], event: WorkflowEvent): number[] {
  const subject = { event, now: event.occurredAt };
  const matches: number[] = [];
  for (const { condition, value } of workflows) if (condition.test(subject) === true) matches.push(value);
  return matches;
}

function measureIndex({ index, events }: Course): Figures {
  let matches = 0;
  const cpuBefore = nodeCpuMs();
  for (let pass = 0; pass < passes; pass++) {
    for (const event of events) matches += index.match(event, event.occurredAt).length;
  }
  const cpuMs = nodeCpuMs() - cpuBefore;
  return { [figure]: (cpuMs * 1000) / (passes * events.length), 'matches/event': matches / (passes * events.length) };
}

function measureMap({ byCustomer, events }: Course): Figures {
  let sum = 0;
  const cpuBefore = nodeCpuMs();
  for (let pass = 0; pass < passes; pass++) {
    for (const { payload } of events) {
      const { customer } = payload as unknown as { customer: { id: number } };
      for (const { value } of byCustomer.get(customer.id) ?? []) sum += value;
    }
  }
  const cpuMs = nodeCpuMs() - cpuBefore;
  if (sum === 0) throw new WrongAnswer(['the Map found nothing']);
  return { [figure]: (cpuMs * 1000) / (passes * events.length) };
}

function measureLoop({ workflows, events }: Course): Figures {
  const some = events.slice(0, loopEvents);
  let matches = 0;
  const cpuBefore = nodeCpuMs();
  for (const event of some) matches += askAll(workflows, event).length;
  const cpuMs = nodeCpuMs() - cpuBefore;
  return { [figure]: (cpuMs * 1000) / some.length, 'matches/event': matches / some.length };
}

/** From this on it may be the longest, ms. */
const notable = 0.1;

/** Adds workflows, one after another, and takes them out again. What the garbage collector stops meanwhile counts apart. */
async function measureAdding({ index }: Course, more: readonly IndexedWorkflow<number>[]): Promise<Figures> {
  const collections: Span[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) collections.push([startTime, startTime + duration]);
  });
  observer.observe({ entryTypes: ['gc'] });
  const additions: Span[] = [];
  const cpuBefore = nodeCpuMs();
  let before = performance.now();
  for (const workflow of more) {
    index.add(workflow);
    const now = performance.now();
    if (now - before > notable) additions.push([before, now]);
    before = now;
  }
  const cpuMs = nodeCpuMs() - cpuBefore;
  for (const { workflowId } of more) index.remove(workflowId);
  // Collections are told a turn later.
  await nextTurn();
  await nextTurn();
  observer.disconnect();
  return {
    'CPU us': (cpuMs * 1000) / more.length,
    'longest ms': Math.max(notable, ...additions.map((addition) => lengthWithout(addition, collections))),
    'longest GC ms': Math.max(0, ...collections.map(([from, to]) => to - from)),
  };
}

type Span = readonly [from: number, to: number];

function lengthWithout([from, to]: Span, others: readonly Span[]): number {
  const common = others.map((other) => Math.max(0, Math.min(to, other[1]) - Math.max(from, other[0])));
  return common.reduce((left, part) => left - part, to - from);
}
