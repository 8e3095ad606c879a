import { once } from 'node:events';
import { Command, Option } from 'commander';
import { logLevelFromEnvironment, presets } from '../../config.ts';
import { HttpServer } from '../../http/http-server.ts';
import { OperationsServer } from '../../http/operations-server.ts';
import { createUnsubscribeHandler } from '../../http/unsubscribe-handler.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { startWatchdog } from '../../runtime/watchdog.ts';
import type { Tocsin, TocsinOptions } from '../../tocsin.ts';
import { withTocsin } from '../context.ts';
import { port, positiveInteger, words } from '../parse.ts';

type WorkerFlags = {
  readonly preset?: keyof typeof presets;
  readonly queues?: readonly string[];
  readonly concurrency?: number;
  readonly lanes?: number;
  readonly batchSize?: number;
  readonly notify: boolean;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly unsubscribeHost: string;
  readonly unsubscribePort?: number;
};

export function workerCommand(): Command {
  return new Command('worker')
    .description('run the engine until SIGTERM or SIGINT: listen, match, execute, deliver')
    .addOption(
      new Option(
        '--preset <preset>',
        'which stages and queues: all; critical (match, and queue critical); background (the rest) (default: worker.stages and worker.queues of the configuration, else all)',
      ).choices(Object.keys(presets)),
    )
    .option(
      '--queues <names>',
      'only deliveries of these task queues, comma separated (default: those of the preset or the configuration)',
      words,
    )
    .option('--concurrency <n>', 'delivery attempts at once (default 50)', positiveInteger)
    .option('--lanes <n>', 'connections that drain the outbox at once (default 2)', positiveInteger)
    .option('--batch-size <n>', 'events per claim (default 500)', positiveInteger)
    .option('--no-notify', 'poll only: for databases behind a transaction pooler')
    .option('--http-host <host>', 'where /healthz and /metrics listen', '127.0.0.1')
    .option('--http-port <port>', 'their port; 0 takes a free one', port, 9464)
    .option('--unsubscribe-host <host>', 'where unsubscribe links are answered on a port of their own', '127.0.0.1')
    .option('--unsubscribe-port <port>', 'that port (default: that of /healthz)', port)
    .action((flags: WorkerFlags, command: Command) => {
      const logger = createLogger(logLevelFromEnvironment());
      return withTocsin(
        command,
        async (tocsin) => {
          if ((await tocsin.pendingMigrations()) > 0) await tocsin.migrate();
          const servers = await openServers(tocsin, flags, logger);
          try {
            const { hangMs } = tocsin.settings.worker;
            if (hangMs > 0) startWatchdog(hangMs);
            // From now on: one that comes while it starts is heard as well.
            const stopping = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
            await tocsin.listener.start();
            const [signal] = await stopping;
            logger.info({ signal }, 'stopping: what is under way is finished first');
            await tocsin.listener.stop();
          } finally {
            // Also when it could not start: a server that listens would keep the process.
            await Promise.all(servers.map((server) => server.stop()));
          }
        },
        (options) => withFlags({ ...options, logger: options.logger ?? logger }, flags),
      );
    });
}

/** Health, metrics and, if there are links, the endpoint of unsubscribe links: on the same port or on its own. */
async function openServers(
  tocsin: Tocsin,
  flags: WorkerFlags,
  logger: Logger,
): Promise<{ stop: () => Promise<void> }[]> {
  const handler = createUnsubscribeHandler(tocsin.unsubscribe, {
    onError: (error) => logger.error({ error: error.message }, 'an opt-out could not be recorded'),
  });
  const { path } = tocsin.unsubscribe;
  const operations = new OperationsServer({
    host: flags.httpHost,
    port: flags.httpPort,
    health: () => tocsin.listener.health(),
    metrics: () => tocsin.metrics.render(),
    ...(path !== null && flags.unsubscribePort === undefined ? { unsubscribe: { path, handler } } : {}),
  });
  await operations.start();
  logger.info({ host: flags.httpHost, port: operations.port }, '/healthz and /metrics listen');
  if (path === null || flags.unsubscribePort === undefined) return [operations];
  const links = new HttpServer({ host: flags.unsubscribeHost, port: flags.unsubscribePort, answer: handler });
  await links.start();
  logger.info({ host: flags.unsubscribeHost, port: links.port }, 'unsubscribe links are answered');
  return [operations, links];
}

function withFlags(options: TocsinOptions, flags: WorkerFlags): TocsinOptions {
  const preset = flags.preset && presets[flags.preset];
  const { concurrency, lanes, batchSize } = flags;
  return {
    ...options,
    worker: {
      ...options.worker,
      ...(preset ? { stages: [...preset.stages], queues: preset.queues && [...preset.queues] } : {}),
      ...(flags.queues ? { queues: [...flags.queues] } : {}),
      useNotify: flags.notify && (options.worker?.useNotify ?? true),
      ...(concurrency ? { concurrency } : {}),
      ...(lanes ? { lanes } : {}),
      ...(batchSize ? { batchSize } : {}),
    },
  };
}
