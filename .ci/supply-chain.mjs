// Checks package.json and the lock file: no version with a known advisory (advisory-floors.json), nothing native and no install
// script in what hosts install, exact versions, a hash for every package, all of them from the registry, licenses that let hosts use it.
// A directory to look at may be given; default is the current one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? '.';
const [manifest, lock, known] = ['package.json', 'package-lock.json', '.ci/advisory-floors.json'].map((file) =>
  JSON.parse(readFileSync(join(root, file), 'utf8')),
);

const registry = 'https://registry.npmjs.org/';

const licenses = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'Unlicense',
];

const packages = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ path, name: entry.name ?? path.replace(/^.*node_modules\//, ''), ...entry }));
/** What `npm install tocsin` may bring along: npm calls `devOptional` what is optional for hosts and needed here too. */
const production = packages.filter(({ dev, link }) => !dev && !link);

/** Below 0 when the version is older; a pre-release counts as its release. */
function compareVersions(one, other) {
  const [a, b] = [one, other].map((version) =>
    version
      .replace(/[-+].*$/, '')
      .split('.')
      .map(Number),
  );
  return a.map((part, index) => part - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function belowFloor() {
  const isAccepted = ({ path, version }) =>
    known.accepted.some((accepted) => accepted.path === path && accepted.version === version);
  return packages.flatMap((found) => {
    const floor = Object.hasOwn(known.floors, found.name) ? known.floors[found.name] : undefined;
    if (!floor || compareVersions(found.version, floor.lowest) >= 0 || isAccepted(found)) return [];
    return `${found.path} ${found.version} is below ${floor.lowest}: ${floor.advisories.join(', ')} (${floor.what})`;
  });
}

function staleFloors() {
  const floors = Object.keys(known.floors)
    .filter((name) => !packages.some((found) => found.name === name))
    .map((name) => `advisory-floors.json has a floor for ${name}, which is not in the lock file: remove it`);
  const accepted = known.accepted
    .filter(({ path, version }) => lock.packages[path]?.version !== version)
    .map(
      ({ path, version }) =>
        `advisory-floors.json accepts ${path} ${version}, which is not in the lock file: remove it`,
    );
  return [...floors, ...accepted];
}

function nativeOrScripted() {
  return production.flatMap(({ path, version, hasInstallScript, os, cpu }) => {
    const directory = join(root, path);
    const files = existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String) : [];
    const native = files.find((file) => !file.includes('node_modules') && /(?:\.node|binding\.gyp)$/.test(file));
    return [
      ...(hasInstallScript ? [`${path} ${version} runs a script when it is installed`] : []),
      ...(os || cpu ? [`${path} ${version} is made for one platform`] : []),
      ...(native ? [`${path} ${version} has a native module: ${native}`] : []),
    ];
  });
}

function inexactVersions() {
  return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.entries(manifest[kind] ?? {})
      .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
      .map(([name, version]) => `package.json: ${kind}.${name} is "${version}": write one exact version`),
  );
}

function withoutHash() {
  return packages
    .filter(({ integrity, link }) => !link && !/^sha512-/.test(integrity ?? ''))
    .map(({ path, version }) => `${path} ${version} has no sha512 hash in the lock file`);
}

/** A lock file may send npm anywhere, with a hash that fits what is there. */
function fromElsewhere() {
  return packages
    .filter(({ resolved, link }) => !link && resolved !== undefined && !resolved.startsWith(registry))
    .map(({ path, version, resolved }) => `${path} ${version} would be fetched from ${resolved}`);
}

function withoutLicense() {
  return production
    .filter(({ license }) => !licenses.includes(license))
    .map(({ path, version, license }) => `${path} ${version} has the license ${license ?? '(none)'}`);
}

const problems = [
  ...belowFloor(),
  ...staleFloors(),
  ...nativeOrScripted(),
  ...inexactVersions(),
  ...withoutHash(),
  ...fromElsewhere(),
  ...withoutLicense(),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(
  `supply chain: ${packages.length} packages, ${production.length} of them for hosts, ${Object.keys(known.floors).length} floors`,
);
