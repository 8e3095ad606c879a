// Fails when src/store/schema.ts says something that no migration makes, or a migration would stop a database that is at work.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unsafeMigrations } from './migration-rules.mjs';

const problems = unsafeMigrations('migrations');
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

const copy = mkdtempSync(join(process.cwd(), '.tocsin-migrations-'));
try {
  cpSync('migrations', copy, { recursive: true });
  const before = readdirSync(copy).length;
  execFileSync(
    'drizzle-kit',
    [
      'generate',
      '--dialect',
      'postgresql',
      '--schema',
      'src/store/schema.ts',
      '--out',
      copy.slice(process.cwd().length + 1),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (readdirSync(copy).length !== before) {
    console.error('schema.ts and migrations/ differ: run `npm run db:generate`, and read what it wrote');
    process.exitCode = 1;
  } else {
    console.log('migrations: in step with src/store/schema.ts');
  }
} finally {
  rmSync(copy, { recursive: true });
}
