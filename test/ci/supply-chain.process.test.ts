import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const script = join(root, '.ci/supply-chain.mjs');
const run = promisify(execFile);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tocsin-supply-chain-'));
});
afterAll(() => rm(directory, { recursive: true }));

type Entry = Readonly<Record<string, unknown>>;
type Project = {
  readonly manifest?: Entry;
  readonly packages?: Readonly<Record<string, Entry>>;
  readonly accepted?: readonly Entry[];
  /** Files that are installed. */
  readonly files?: readonly string[];
};

const good = { version: '2.0.0', license: 'MIT', integrity: 'sha512-x' };
const floors = { lib: { lowest: '1.10.0', advisories: ['GHSA-aaaa-bbbb-cccc'], what: 'it leaks', source: 'x' } };
let projects = 0;

/** What the check says of a project with one package `lib`, but for what is given; empty when it is content. */
async function problemsOf({
  manifest = {},
  packages = {},
  accepted = [],
  files = [],
}: Project = {}): Promise<string[]> {
  const project = join(directory, String(projects++));
  const write = async (file: string, content: string) => {
    await mkdir(dirname(join(project, file)), { recursive: true });
    await writeFile(join(project, file), content);
  };
  await write('package.json', JSON.stringify({ dependencies: { lib: '2.0.0' }, ...manifest }));
  const lock = { packages: { '': {}, 'node_modules/lib': good, ...packages } };
  await write('package-lock.json', JSON.stringify(lock));
  await write('.ci/advisory-floors.json', JSON.stringify({ floors, accepted }));
  for (const file of files) await write(file, '');
  return run(process.execPath, [script, project]).then(
    () => [],
    ({ stderr }: { stderr: string }) => stderr.trim().split('\n'),
  );
}

describe('the supply chain check', () => {
  test('is content with this project', async () => {
    const { stdout } = await run(process.execPath, [script, root]);
    expect(stdout).toMatch(/^supply chain: \d+ packages, \d+ of them for hosts, \d+ floors$/m);
  });

  test('is content with a lock file in order', async () => {
    expect(await problemsOf()).toEqual([]);
    expect(await problemsOf({ packages: { 'node_modules/lib': { ...good, version: '1.10.0' } } })).toEqual([]);
  });

  test('fails for a version with a known advisory, wherever it stands in the tree and whoever needs it', async () => {
    const old = { ...good, version: '1.9.9', dev: true };
    expect(await problemsOf({ packages: { 'node_modules/@a/b/node_modules/lib': old } })).toEqual([
      'node_modules/@a/b/node_modules/lib 1.9.9 is below 1.10.0: GHSA-aaaa-bbbb-cccc (it leaks)',
    ]);
    expect(await problemsOf({ packages: { 'node_modules/lib': { ...good, version: '1.10.0-beta.1' } } })).toEqual([]);
  });

  test('lets one place keep one version where it is accepted, and no other', async () => {
    const path = 'node_modules/tool/node_modules/lib';
    const packages = { [path]: { ...good, version: '1.0.0', dev: true } };
    expect(await problemsOf({ packages, accepted: [{ path, version: '1.0.0', why: 'x' }] })).toEqual([]);
    expect(await problemsOf({ packages, accepted: [{ path, version: '1.0.1', why: 'x' }] })).toEqual([
      expect.stringContaining('is below 1.10.0'),
      expect.stringContaining('which is not in the lock file: remove it'),
    ]);
  });

  test('fails for a floor whose package is gone', async () => {
    const packages = { 'node_modules/lib': { ...good, name: 'other' } };
    expect(await problemsOf({ packages })).toEqual([expect.stringMatching(/floor for lib, which is not in the lock/)]);
  });

  test('fails for install scripts, platform packages and native modules that hosts would install', async () => {
    const path = 'node_modules/native';
    const problem = (entry: Entry, files: readonly string[] = []) =>
      problemsOf({ packages: { [path]: { ...good, ...entry } }, files });
    expect(await problem({ hasInstallScript: true })).toEqual([`${path} 2.0.0 runs a script when it is installed`]);
    expect(await problem({ cpu: ['x64'], optional: true })).toEqual([`${path} 2.0.0 is made for one platform`]);
    expect(await problem({}, [`${path}/build/a.node`])).toEqual([`${path} 2.0.0 has a native module: build/a.node`]);
    expect(await problem({}, [`${path}/binding.gyp`])).toEqual([`${path} 2.0.0 has a native module: binding.gyp`]);
    expect(await problem({ hasInstallScript: true, devOptional: true })).toHaveLength(1);
    expect(await problem({ hasInstallScript: true, cpu: ['x64'], dev: true }, [`${path}/a.node`])).toEqual([]);
  });

  test.each(['^2.0.0', '~2.0.0', '2.x', '>=2', '*', 'latest', 'github:a/b', 'file:../lib'])(
    'fails for the version %s in package.json',
    async (version) => {
      expect(await problemsOf({ manifest: { devDependencies: { lib: version } } })).toEqual([
        `package.json: devDependencies.lib is "${version}": write one exact version`,
      ]);
    },
  );

  test('fails for a package without a hash, or with a weak one', async () => {
    const { integrity: _integrity, ...without } = good;
    const expected = ['node_modules/x 2.0.0 has no sha512 hash in the lock file'];
    expect(await problemsOf({ packages: { 'node_modules/x': without } })).toEqual(expected);
    expect(await problemsOf({ packages: { 'node_modules/x': { ...good, integrity: 'sha1-x' } } })).toEqual(expected);
  });

  test('fails for a package that would be fetched from elsewhere', async () => {
    const from = (resolved: string) => problemsOf({ packages: { 'node_modules/x': { ...good, resolved, dev: true } } });
    expect(await from('https://registry.npmjs.org/x/-/x-2.0.0.tgz')).toEqual([]);
    for (const resolved of ['https://registry.npmjs.org.evil.example/x.tgz', 'git+ssh://git@github.com/a/x.git#1']) {
      expect(await from(resolved)).toEqual([`node_modules/x 2.0.0 would be fetched from ${resolved}`]);
    }
  });

  test('fails for a license that hosts may not be able to take', async () => {
    const packages = { 'node_modules/x': { ...good, license: 'AGPL-3.0' } };
    expect(await problemsOf({ packages })).toEqual(['node_modules/x 2.0.0 has the license AGPL-3.0']);
  });
});
