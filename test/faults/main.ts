import { randomInt } from 'node:crypto';
import { Command } from 'commander';
import { runChaos } from './run-chaos.ts';

const options = new Command('test:faults')
  .description(
    'Kills, cuts, hangs and refuses while writers write, then checks that nothing is lost and nothing done twice. Starts a PostgreSQL, workers and receivers of its own and touches no others.',
  )
  .option('--minutes <n>', 'how long things break', '3')
  .option('--seed <n>', 'repeats the choices of a run')
  .option('--workers <n>', 'worker processes', '3')
  .option('--writers <n>', 'writers', '6')
  .parse()
  .opts<{ minutes: string; seed?: string; workers: string; writers: string }>();

const minutes = positive('minutes', options.minutes);
const seed = options.seed === undefined ? randomInt(2 ** 32) : positive('seed', options.seed);
const again = `npm run test:faults -- --minutes ${minutes} --seed ${seed}`;
console.log(again);
try {
  const { broken, ...did } = await runChaos({
    seed,
    minutes,
    workers: positive('workers', options.workers),
    writers: positive('writers', options.writers),
  });
  console.log(JSON.stringify(did, null, 2));
  for (const promise of broken) console.log(`BROKEN ${promise}`);
  console.log(broken.length === 0 ? 'every promise was kept' : `${broken.length} broken; again: ${again}`);
  // Whatever is left of killed processes and cut connections ends with this one.
  process.exit(broken.length === 0 ? 0 : 1);
} catch (error) {
  console.error(error);
  console.log(`failed; again: ${again}`);
  process.exit(1);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not "${text}"`);
  return value;
}
