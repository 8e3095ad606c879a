import { readdir, readFile } from 'node:fs/promises';

/** CPU time is counted in hundredths of a second on every Linux that Node runs on (USER_HZ). */
const msPerTick = 10;

/**
 * CPU time that a PostgreSQL server has used so far, ms: the postmaster, its processes, and those that have ended. Null
 * where there is no `/proc`.
 */
export async function serverCpuMs(postmasterPid: number): Promise<number | null> {
  for (;;) {
    const before = await readStat(String(postmasterPid));
    if (!before) return null;
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const stats = await Promise.all(pids.map(readStat));
    const after = await readStat(String(postmasterPid));
    // A process that ended meanwhile was counted nowhere, or twice: look again.
    if (after?.endedChildrenTicks !== before.endedChildrenTicks) continue;
    const ownTicks = stats
      .filter((stat) => stat?.parentPid === postmasterPid)
      .reduce((sum, stat) => sum + (stat?.ownTicks ?? 0), before.ownTicks);
    return (ownTicks + before.endedChildrenTicks) * msPerTick;
  }
}

/** proc(5): the fields after the name of the command, which may itself hold blanks and brackets. */
async function readStat(
  pid: string,
): Promise<{ parentPid: number; ownTicks: number; endedChildrenTicks: number } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [parentPid, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((index) => Number(fields[index]));
  return {
    parentPid: parentPid ?? 0,
    ownTicks: (user ?? 0) + (system ?? 0),
    endedChildrenTicks: (endedUser ?? 0) + (endedSystem ?? 0),
  };
}
