import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of a few megabytes, for a tablespace that gets full. Only root can make one, on Linux. */
export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** One that belongs to whom `likeDirectory` belongs to; null where it cannot be made. */
  static tryMount(megabytes: number, likeDirectory: string): SmallDisk | null {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
    const path = mkdtempSync(join(tmpdir(), 'tocsin-small-disk-'));
    try {
      const { uid, gid } = statSync(likeDirectory);
      const options = `size=${megabytes}m,uid=${uid},gid=${gid},mode=700`;
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
    } catch {
      rmSync(path, { recursive: true });
      return null;
    }
    return new SmallDisk(path);
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true });
  }
}
