import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin } from '../../src/tocsin.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { readBlocks, readme, readTable, root } from './read-readme.ts';

const run = promisify(execFile);
const main = `${root}src/cli/main.ts`;
const timeoutMs = 120_000;

const secretsKey = randomBytes(32).toString('base64');

let databaseUrl: string;
let shims: string;

/** An empty database with a table of the host, and the commands that README calls. */
beforeAll(async () => {
  const serverUrl = inject('serverUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await query(serverUrl, `create database ${name}`);
  databaseUrl = serverUrl.replace(/postgres$/, name);
  await query(
    databaseUrl,
    'create table orders (id bigint primary key, tenant_id text not null, total numeric(12, 2), card_number text)',
  );
  shims = await mkdtemp(join(tmpdir(), 'tocsin-readme-'));
  await writeShim('npx', `shift; exec "${process.execPath}" "${main}" "$@"`);
  await writeShim('psql', `exec "${process.execPath}" "${root}test/docs/run-sql.ts" "$2"`);
});
afterAll(async () => {
  await rm(shims, { recursive: true });
  await query(inject('serverUrl'), `drop database ${new URL(databaseUrl).pathname.slice(1)} with (force)`);
});

async function writeShim(name: string, body: string): Promise<void> {
  const file = join(shims, name);
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
}

async function query(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** What a command prints on both outputs, and how it exits; it begins with the exit code of the one before. */
async function shell(command: string, exitCodeBefore = 0): Promise<{ output: string; exitCode: number }> {
  const env = {
    PATH: `${shims}:${process.env.PATH}`,
    DATABASE_URL: databaseUrl,
    TOCSIN_SECRETS_KEY: secretsKey,
    NODE_COMPILE_CACHE: join(shims, 'cache'),
  };
  const script = `exec 2>&1\n(exit ${exitCodeBefore})\n${command}`;
  try {
    const { stdout } = await run('/bin/sh', ['-c', script], { cwd: root, env });
    return { output: stdout, exitCode: 0 };
  } catch (error) {
    const { stdout, code } = error as { stdout: string; code: number };
    return { output: stdout, exitCode: code };
  }
}

/** The commands of a session and what README says each prints. */
function readSession(text: string): { command: string; expected: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.trimEnd().split('\n');
      return { command, expected: output.join('\n') };
    });
}

/** Compares lines; `…` stands for whatever differs from run to run. */
function expectOutput(actual: string, expected: string): void {
  const pattern = expected
    .split('…')
    .map((piece) => piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  if (!new RegExp(`^${pattern}$`).test(actual.trimEnd())) expect(actual.trimEnd()).toBe(expected);
}

describe('the command line as README shows it', () => {
  const sessions = readBlocks(readme).filter(({ source }) => source === 'cli');

  test.each(sessions.map((session, index) => ({ ...session, index })))(
    'line $line',
    { timeout: timeoutMs },
    async ({ text, index }) => {
      if (index === 1) await addMia();
      let exitCodeBefore = 0;
      for (const { command, expected } of readSession(text)) {
        const { output, exitCode } = await shell(command, exitCodeBefore);
        expectOutput(output, expected);
        exitCodeBefore = exitCode;
      }
    },
  );

  async function addMia(): Promise<void> {
    const tocsin = await createTocsin({ databaseUrl });
    unwrap(await tocsin.directory.putUser('acme', { id: 'mia' }));
    unwrap(await tocsin.directory.addToRole('acme', 'sales', 'mia'));
    await tocsin.close();
  }

  test('reads handlers from a configuration file', { timeout: timeoutMs }, async () => {
    const workflow = JSON.stringify({
      name: 'On call',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      conditions: [{ type: 'tenant_plan', plan: 'business' }],
      actions: [{ type: 'sms', text: 'Order {{ payload.id }}' }],
      recipients: [{ type: 'on_call', team: 'support' }],
    });
    const validate = `npx tocsin workflow validate '${workflow}' --tenant acme`;
    expect(await shell(validate)).toMatchObject({ exitCode: 2 });
    expect(await shell(`${validate} --config examples/tocsin.config.ts`)).toEqual({
      output: 'the definition is valid\n',
      exitCode: 0,
    });
  });

  test('answers data with --json, and refusals as well', { timeout: timeoutMs }, async () => {
    const { output } = await shell('npx tocsin workflow list --tenant acme --json');
    expect(JSON.parse(output)).toMatchObject({
      items: [{ name: 'Large order', status: 'inactive' }],
      nextCursor: null,
    });
    const refused = await shell('npx tocsin --json workflow show nothing --tenant acme');
    expect(refused.exitCode).toBe(3);
    expect(JSON.parse(refused.output)).toMatchObject({ error: { code: 'not_found' } });
  });
});

describe('the settings that README makes in SQL', () => {
  test('are kept with the event', async () => {
    const settings = readBlocks(readme).find(({ language }) => language === 'sql')?.text ?? '';
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query(`begin; ${settings} insert into orders (id, tenant_id) values (99, 'acme'); commit`);
    const { rows } = await client.query(
      `select actor, trace_context, causation from tocsin.events where entity_id = '99'`,
    );
    await client.end();
    expect(rows).toEqual([
      {
        actor: 'mia',
        trace_context: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
        causation: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    ]);
  });
});

describe('a worker', () => {
  test('answers /healthz and the metrics that README lists, and stops with 0', { timeout: timeoutMs }, async () => {
    const worker = await WorkerProcess.start(databaseUrl, { args: ['--preset', 'critical', '--queues', 'critical'] });
    const url = `http://127.0.0.1:${worker.httpPort}`;
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok' }]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const helps = [...metrics.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => [name, help]);
    expect(readTable('metrics')).toEqual(helps);
    expect(await worker.terminate()).toBe(0);
  });
});
