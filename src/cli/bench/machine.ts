import { existsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What a reader must know of the machine. */
export type Machine = {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  /** Load average of the last minute when the run began: above 0 others were working too. */
  readonly load: number;
  /** Whether the CPU time of PostgreSQL can be read: it stands in `/proc`, on Linux. */
  readonly tellsServerCpu: boolean;
};

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
    tellsServerCpu: existsSync('/proc/self/stat'),
  };
}

/** CPU time of this process so far, ms. */
export function nodeCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
