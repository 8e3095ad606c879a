import { Command } from 'commander';
import { describeMachine } from '../src/cli/bench/machine.ts';
import { printReport, type Report } from '../src/cli/bench/report.ts';
import { type BenchmarkResult, runBenchmark } from '../src/cli/bench/run-benchmark.ts';
import type { Scale } from './benchmark.ts';
import { benchmarks } from './benchmarks/index.ts';
import { BenchServer } from './measure/server.ts';

const names = benchmarks.map(({ name, isLong }) => (isLong ? `${name} (only when named)` : name));
const options = new Command('bench')
  .description(
    'Measures Tocsin against peers on a PostgreSQL of its own. A wrong answer ends it with 1, a missed target does not.',
  )
  .option('--only <name...>', `run these only: ${names.join(', ')}`)
  .option('--rounds <n>', 'rounds of each benchmark', '5')
  .option('--scale <n>', 'how much of everything: 0.05 to see that it works, 1 for more than half an hour', '0.4')
  .option('--json', 'print the report as JSON')
  .parse()
  .opts<{ only?: string[]; rounds: string; scale: string; json?: true }>();

const rounds = Number(options.rounds);
const scale = Number(options.scale);
const unknown = options.only?.find((only) => !benchmarks.some(({ name }) => name === only));
if (unknown !== undefined) throw new Error(`no benchmark "${unknown}": ${names.join(', ')}`);
if (!(Number.isInteger(rounds) && rounds >= 1))
  throw new Error(`--rounds takes a number from 1, not "${options.rounds}"`);
if (!(scale > 0)) throw new Error(`--scale takes a number above 0, not "${options.scale}"`);

const scaled: Scale = (count) => Math.max(1, Math.round(count * scale));
const machine = describeMachine();
const server = await BenchServer.start();
const results: BenchmarkResult[] = [];
const postgres = await server.settings();
try {
  for (const benchmark of benchmarks) {
    if (options.only ? !options.only.includes(benchmark.name) : benchmark.isLong) continue;
    results.push(await runBenchmark(benchmark, { server, rounds, scaled, onProgress: (line) => console.error(line) }));
  }
} finally {
  await server.stop();
}
const report: Report = { date: new Date().toISOString().slice(0, 10), machine, postgres, rounds, scale, results };
console.log(options.json ? JSON.stringify(report, null, 2) : printReport(report));
// A benchmark that failed leaves processes and connections behind: they end with this one.
process.exit(results.some(({ failure }) => failure !== null) ? 1 : 0);
