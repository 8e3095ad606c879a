import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { onTestFinished } from 'vitest';

/**
 * Makes a login that is a member of these roles and nothing else, for the length of a test.
 *
 * @param grants statements that are run with its name in place of `$login`
 * @returns the URL of `databaseUrl` for it
 */
export async function useLogin(
  databaseUrl: string,
  { roles = [], grants = [] }: { roles?: readonly string[]; grants?: readonly string[] },
): Promise<string> {
  const login = `login_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await asSuperuser(databaseUrl, [
    `create role ${login} login`,
    ...roles.map((role) => `grant ${role} to ${login}`),
    ...grants.map((grant) => grant.replaceAll('$login', login)),
  ]);
  onTestFinished(() =>
    asSuperuser(databaseUrl, [
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${login}'`,
      `drop owned by ${login}`,
      `drop role ${login}`,
    ]),
  );
  const url = new URL(databaseUrl);
  url.username = login;
  return url.toString();
}

async function asSuperuser(databaseUrl: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
