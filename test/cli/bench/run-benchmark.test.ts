import { describe, expect, test } from 'vitest';
import { type Benchmark, measureInTurn, type Round, WrongAnswer } from '../../../src/cli/bench/benchmark.ts';
import { printReport } from '../../../src/cli/bench/report.ts';
import { runBenchmark } from '../../../src/cli/bench/run-benchmark.ts';

/** A benchmark whose rounds are known. */
function benchmarkOf(rounds: readonly (Round | Error)[]): Benchmark<null> {
  const left = [...rounds];
  const pair = { variant: 'ours', peer: 'theirs', figure: 'events/s' };
  return {
    name: 'drain',
    about: 'Something against something else.',
    prepare: async (_server, scaled) => ({
      settings: { events: scaled(1_000) },
      comparisons: [
        { claim: 'faster', ...pair, target: { atLeast: 2 } },
        { claim: 'a start', variant: 'ours', peer: null, figure: 'events/s', target: { atMost: 100 } },
        { claim: 'against nobody', ...pair, peer: 'nobody' },
      ],
      measureRound: async () => {
        const round = left.shift();
        if (round instanceof Error || !round) throw round ?? new Error('no more rounds');
        return round;
      },
      close: async () => undefined,
    }),
  };
}

const roundOf = (ours: number, theirs: number): Round => ({
  ours: { 'events/s': ours },
  theirs: { 'events/s': theirs },
});

function run(rounds: readonly (Round | Error)[]) {
  const options = {
    server: null,
    rounds: rounds.length,
    scaled: (count: number) => count / 10,
    onProgress: () => undefined,
  };
  return runBenchmark(benchmarkOf(rounds), options);
}

describe('runBenchmark', () => {
  test('forms ratios within a round, and tells their median with least and most', async () => {
    const { ratios, figures, failure } = await run([roundOf(300, 100), roundOf(100, 100), roundOf(1_000, 500)]);
    expect(failure).toBeNull();
    expect(figures.ours?.['events/s']).toEqual({ median: 300, min: 100, max: 1_000 });
    expect(ratios[0]).toMatchObject({ claim: 'faster', ratio: { median: 2, min: 1, max: 3 }, isReached: true });
  });

  test('holds a figure itself to the target when there is no peer, and leaves out peers that were not measured', async () => {
    const { ratios } = await run([roundOf(300, 100)]);
    expect(ratios.map(({ claim }) => claim)).toEqual(['faster', 'a start']);
    expect(ratios[1]).toMatchObject({ ratio: { median: 300 }, isReached: false });
  });

  test('ends with the first wrong answer, and keeps the rounds before', async () => {
    const { failure, rounds } = await run([roundOf(1, 1), new WrongAnswer(['9 of 10 events']), roundOf(1, 1)]);
    expect(failure).toBe('the work was not done:\n  9 of 10 events');
    expect(rounds).toHaveLength(1);
  });

  test('scales what is prepared', async () => {
    expect((await run([roundOf(1, 1)])).settings).toEqual({ events: 100 });
  });
});

describe('measureInTurn', () => {
  test('measures each once, and names the one that failed', async () => {
    const one = { a: async () => ({ ms: 1 }), b: async () => ({ ms: 2 }) };
    expect(await measureInTurn(one)).toEqual({ a: { ms: 1 }, b: { ms: 2 } });
    await expect(measureInTurn({ a: () => Promise.reject(new Error('no disk')) })).rejects.toThrow('a: no disk');
  });
});

describe('printReport', () => {
  test('has a table of figures and one of claims', async () => {
    const result = await run([roundOf(24_481, 33_704)]);
    const machine = {
      cores: 2,
      cpu: 'AMD EPYC',
      memoryGib: 24,
      system: 'Linux 6.18',
      node: 'v24.0.0',
      load: 0.12,
      tellsServerCpu: true,
    };
    const postgres = { server_version: '18.4', fsync: 'on' };
    const report = { date: '2026-11-21', machine, postgres, rounds: 1, scale: 0.1, results: [result] };
    const printed = printReport(report);
    expect(printed).toContain('1 rounds at scale 0.1');
    expect(printed).toContain('PostgreSQL server_version 18.4, fsync on');
    expect(printed).toContain('| ours | 24 481 |');
    expect(printed).toContain('| faster | events/s | 0.726 | >= 2 | **missed** |');
  });
});
