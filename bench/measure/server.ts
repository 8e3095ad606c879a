import { ScratchServer } from '../../src/cli/bench/scratch-server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { serverCpuMs } from './cpu-time.ts';

/** What the whole run uses. fsync, synchronous_commit, full_page_writes and autovacuum stay as they are: on. */
const settings = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
};

/** The PostgreSQL of a run, gone when it is stopped. */
export class BenchServer extends ScratchServer {
  readonly #postgres: EmbeddedPostgres;

  private constructor(postgres: EmbeddedPostgres) {
    super({
      databaseUrl: postgres.connectionString,
      prefix: 'bench',
      settings: Object.keys(settings),
      serverCpuMs: () => serverCpuMs(postgres.pid),
    });
    this.#postgres = postgres;
  }

  static async start(): Promise<BenchServer> {
    return new BenchServer(await startEmbeddedPostgres({ settings }));
  }

  async stop(): Promise<void> {
    await this.close();
    await this.#postgres.stop();
  }
}
