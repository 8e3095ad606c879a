import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommand } from '../support/run-command.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();
const nobody = '01990000-0000-7000-8000-00000000000a';
const unreachable = 'postgres://u@127.0.0.1:1/x';

/** Where `FOLDER` is. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-refusals-'));
  const files = {
    'broken.json': '{"name": ',
    'broken.mjs': 'export default {',
    'misspelt.mjs': 'export default { worker: { lane: 3 } }',
    'number.mjs': 'export default 5',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

/** Runs a command line; answers how it ended, and how what it said began: as far as `expected` goes. */
async function refusalOf(line: string, expected: string, env: Readonly<Record<string, string>> = {}) {
  for (const [name, value] of Object.entries({ DATABASE_URL: t.url, ...env })) vi.stubEnv(name, value);
  const { printed, exitCode } = await runCommand(line.replaceAll('FOLDER', folder).split(' '));
  const said = stripVTControlCharacters(printed).replaceAll(folder, 'FOLDER');
  return [exitCode, said.slice(0, expected.length)];
}

describe('the command line refuses', () => {
  test.each([
    ['workflow show x --tenant a', 3, 'error no workflow has the name "x": list workflows'],
    [`workflow show ${nobody} --tenant a`, 3, `error no workflow "${nobody}" in this tenant: list workflows`],
    [`logs ${nobody} --tenant a`, 3, `error no execution "${nobody}" in this tenant: list the logs`],
    ['workflow create @FOLDER/gone.json --tenant a', 3, 'error cannot read FOLDER/gone.json: '],
    ['workflow create @FOLDER/broken.json --tenant a', 2, 'error the definition in FOLDER/broken.json is not JSON: '],
    ['workflow create new.json --tenant a', 2, 'error the definition (the file of this name is @new.json) is not JSON'],
    ['workflow create - --tenant a', 2, 'error the definition on standard input is not JSON: '],
    ['workflow create [] --tenant a', 2, 'error the workflow is not valid: expected object, received array'],
    ['dead-letters redrive', 2, 'error which? give ids from `tocsin dead-letters list`, or --all'],
    ['dead-letters redrive --all --workflow ', 2, 'error the choice is not valid: workflowId: '],
  ])('%s', async (line, exitCode, says) => {
    expect(await refusalOf(line, says)).toEqual([exitCode, says]);
  });

  test.each([
    [{ DATABASE_URL: '' }, 2, 'error no database: set DATABASE_URL or give --database postgres://...'],
    [{ DATABASE_URL: unreachable }, 7, 'error the database cannot be reached (ECONNREFUSED): check DATABASE_URL'],
    [{ TOCSIN_SECRETS_KEY: 'x' }, 2, 'error the configuration is not valid: secretsKey: is not a key of 32 bytes'],
  ])('what the environment says: %j', async (env, exitCode, says) => {
    expect(await refusalOf('logs --tenant a', says, env)).toEqual([exitCode, says]);
  });

  test.each([
    ['broken.mjs', 'error cannot load FOLDER/broken.mjs: '],
    ['number.mjs', 'error FOLDER/number.mjs exports no options: export default {'],
    ['misspelt.mjs', 'error the configuration is not valid: worker.lane: unknown field "lane": did you mean "lanes"?'],
  ])('what the configuration says: %s', async (file, says) => {
    expect(await refusalOf(`doctor --config FOLDER/${file}`, says)).toEqual([2, says]);
  });
});

describe('dead-letters redrive', () => {
  test('names the ids that are no dead letters', async () => {
    const says = `0 put back: 0 deliveries, 0 executions, 0 events\n${nobody}: no dead letter;`;
    expect(await refusalOf(`dead-letters redrive ${nobody}`, says)).toEqual([undefined, says]);
  });
});
