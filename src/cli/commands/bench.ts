import { Command } from 'commander';
import { printReport } from '../bench/report.ts';
import { runBench } from '../bench/run-bench.ts';
import { withTocsin } from '../context.ts';
import { dim, print } from '../output.ts';
import { positiveInteger, positiveNumber } from '../parse.ts';

type BenchFlags = { readonly rounds: number; readonly scale: number };

export function benchCommand(): Command {
  return new Command('bench')
    .description(
      "measure the drain and the latency on the database's server, in scratch databases that are dropped afterwards; exit code 1 if an answer was wrong",
    )
    .option('--rounds <n>', 'rounds of each benchmark', positiveInteger, 3)
    .option('--scale <n>', '1 is 20,000 events and 100 orders a round', positiveNumber, 1)
    .addHelpText(
      'after',
      `
Nothing in your databases is read or written, and no worker of theirs is woken. It needs a login that may create databases.
It keeps the server busy for a minute: not the thing for one that serves customers just then.`,
    )
    .action((flags: BenchFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const stopped = new AbortController();
        const stop = () => stopped.abort();
        process.once('SIGINT', stop).once('SIGTERM', stop);
        const { databaseUrl } = tocsin.settings;
        const onProgress = (line: string) => process.stderr.write(`${dim(line)}\n`);
        const report = await runBench({ databaseUrl, ...flags, signal: stopped.signal, onProgress }).catch((error) => {
          if (!stopped.signal.aborted) throw error;
          process.stderr.write('stopped: the scratch databases are dropped\n');
          process.exit(130);
        });
        process.off('SIGINT', stop).off('SIGTERM', stop);
        print(options, report, printReport);
        // What failed may still run, on databases that are gone: it ends with the process, once all is printed.
        if (report.results.some(({ failure }) => failure !== null)) process.stdout.write('', () => process.exit(1));
      }),
    );
}
