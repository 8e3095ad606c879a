import { once } from 'node:events';
import { Command } from 'commander';
import { globalOptions } from '../context.ts';
import { demoText } from '../demo/report.ts';
import { runDemo } from '../demo/run-demo.ts';
import { bold, dim, green, print, red } from '../output.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description('show the main job on an embedded PostgreSQL; exits 0 only if what was received is what was expected')
    .option('--keep', 'stay up afterwards, to play with')
    .action(async (flags: { keep?: boolean }, self: Command) => {
      const options = globalOptions(self);
      // Leaving by `exit` stops the embedded PostgreSQL too.
      const leave = () => process.exit(130);
      process.once('SIGINT', leave).once('SIGTERM', leave);
      const demo = await runDemo((says) => process.stderr.write(`${dim(says)}\n`));
      try {
        const missed = demo.report.expectations.filter(({ isMet }) => !isMet).length;
        print(
          options,
          demo.report,
          (report) => `${demoText(report)}\n\n${summary(report.expectations.length, missed)}`,
        );
        process.exitCode = missed === 0 ? 0 : 1;
        process.off('SIGINT', leave).off('SIGTERM', leave);
        if (flags.keep) await keepUp(demo.report.connectionString);
      } finally {
        await demo.close();
      }
    });
}

function summary(all: number, missed: number): string {
  return missed === 0 ? green(`all ${all} expectations are met`) : red(`${missed} of ${all} expectations are NOT met`);
}

async function keepUp(connectionString: string): Promise<void> {
  process.stderr.write(
    `\n${bold('still running')} until you press Ctrl-C\n  psql ${connectionString}\n` +
      `  DATABASE_URL=${connectionString} npm run --silent tocsin -- workflow list --tenant acme\n`,
  );
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}
