import { Command } from 'commander';
import { benchmarks } from './benchmarks/index.ts';
import { describeMachine } from './measure/machine.ts';
import { BenchServer } from './measure/server.ts';
import { printReport, type Report } from './report.ts';
import { type BenchmarkResult, runBenchmark } from './run-benchmark.ts';

const names = benchmarks.map(({ name }) => name);
const options = new Command('bench')
  .description(
    'Measures Tocsin against peers on a PostgreSQL of its own. A wrong answer ends it with 1, a missed target does not.',
  )
  .option('--only <name...>', `run these only: ${names.join(', ')}`)
  .option('--rounds <n>', 'rounds of each benchmark', '5')
  .option('--json', 'print the report as JSON')
  .parse()
  .opts<{ only?: string[]; rounds: string; json?: true }>();

const rounds = Number(options.rounds);
const unknown = options.only?.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no benchmark "${unknown}": ${names.join(', ')}`);
if (!(Number.isInteger(rounds) && rounds >= 1))
  throw new Error(`--rounds takes a number from 1, not "${options.rounds}"`);

const machine = describeMachine();
const server = await BenchServer.start();
const results: BenchmarkResult[] = [];
const postgres = await server.settings();
try {
  for (const benchmark of benchmarks) {
    if (options.only && !options.only.includes(benchmark.name)) continue;
    results.push(await runBenchmark(benchmark, { server, rounds, onProgress: (line) => console.error(line) }));
  }
} finally {
  await server.stop();
}
const report: Report = { date: new Date().toISOString().slice(0, 10), machine, postgres, rounds, results };
console.log(options.json ? JSON.stringify(report, null, 2) : printReport(report));
// A benchmark that failed leaves processes and connections behind: they end with this one.
process.exit(results.some(({ failure }) => failure !== null) ? 1 : 0);
