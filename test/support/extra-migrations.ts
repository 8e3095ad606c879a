import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const released = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * The migrations folder of a version that is not there yet: those of this one and, after them, what is given by tags like
 * `9000_what`.
 */
export async function nextMigrations(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(released, folder, { recursive: true });
  const path = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(await readFile(path, 'utf8'));
  const last = journal.entries.at(-1);
  for (const [tag, text] of Object.entries(files)) {
    const number = Number.parseInt(tag, 10);
    journal.entries.push({ ...last, idx: number, when: last.when + number, tag });
    await writeFile(join(folder, `${tag}.sql`), text);
  }
  await writeFile(path, JSON.stringify(journal));
  return folder;
}
