import { once } from 'node:events';
import { Command, Option } from 'commander';
import { logLevelFromEnvironment, presets } from '../../config.ts';
import { OperationsServer } from '../../http/operations-server.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { TocsinOptions } from '../../tocsin.ts';
import { withTocsin } from '../context.ts';
import { port, positiveInteger, words } from '../parse.ts';

type WorkerFlags = {
  readonly preset: keyof typeof presets;
  readonly queues?: readonly string[];
  readonly concurrency?: number;
  readonly lanes?: number;
  readonly batchSize?: number;
  readonly notify: boolean;
  readonly httpHost: string;
  readonly httpPort: number;
};

export function workerCommand(): Command {
  return new Command('worker')
    .description('run the engine until SIGTERM or SIGINT: listen, match, execute, deliver')
    .addOption(
      new Option(
        '--preset <preset>',
        'which stages and queues: all; critical (match, and queue critical); background (the rest)',
      )
        .choices(Object.keys(presets))
        .default('all'),
    )
    .option(
      '--queues <names>',
      'only deliveries of these task queues, comma separated (default: those of the preset)',
      words,
    )
    .option('--concurrency <n>', 'delivery attempts at once (default 50)', positiveInteger)
    .option('--lanes <n>', 'connections that drain the outbox at once (default 2)', positiveInteger)
    .option('--batch-size <n>', 'events per claim (default 500)', positiveInteger)
    .option('--no-notify', 'poll only: for databases behind a transaction pooler')
    .option('--http-host <host>', 'where /healthz and /metrics listen', '127.0.0.1')
    .option('--http-port <port>', 'their port; 0 takes a free one', port, 9464)
    .action((flags: WorkerFlags, command: Command) => {
      const logger = createLogger(logLevelFromEnvironment());
      return withTocsin(
        command,
        async (tocsin) => {
          if ((await tocsin.pendingMigrations()) > 0) await tocsin.migrate();
          const server = new OperationsServer({
            host: flags.httpHost,
            port: flags.httpPort,
            health: () => tocsin.listener.health(),
            metrics: () => tocsin.metrics.render(),
          });
          await server.start();
          logger.info({ host: flags.httpHost, port: server.port }, '/healthz and /metrics listen');
          await tocsin.listener.start();
          const [signal] = await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
          logger.info({ signal }, 'stopping: what is under way is finished first');
          await tocsin.listener.stop();
          await server.stop();
        },
        (options) => withFlags({ ...options, logger: options.logger ?? logger }, flags),
      );
    });
}

function withFlags(options: TocsinOptions, flags: WorkerFlags): TocsinOptions {
  const preset = presets[flags.preset];
  const { concurrency, lanes, batchSize } = flags;
  return {
    ...options,
    worker: {
      ...options.worker,
      stages: [...preset.stages],
      queues: flags.queues ? [...flags.queues] : preset.queues ? [...preset.queues] : null,
      useNotify: flags.notify && (options.worker?.useNotify ?? true),
      ...(concurrency ? { concurrency } : {}),
      ...(lanes ? { lanes } : {}),
      ...(batchSize ? { batchSize } : {}),
    },
  };
}
