// Which statements of migrations stop writers, or workers of the version before (ARCHITECTURE.md, "Migrations under load"). It
// parses no SQL: it knows the forms below by how they begin and refuses every other, so what it does not see it does not allow.
// A comment `-- allowed: <reason>` before a statement lets it pass.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** These are released and stay as they are. */
const lastReleased = 7;

const constant = /^('[^']*'|-?\d+(\.\d+)?|true|false|null|now\(\)|current_timestamp)(::[\w[\]. ]+)?$/;
const laterRelease =
  'workers of the version before use it: stop using it in this release, and take it away in a later one with `-- allowed: not used since <version>`';

const inBatches = 'reads or locks rows for as long as it runs: leave filling and deleting to the worker, in batches';

/** What an action of `alter table` on a table that is there does wrong, by how it begins; null: nothing. */
const actions = [
  [/^add column (if not exists )?\S+ (.*)$/, ([, , definition]) => wrongColumn(definition)],
  [/^add constraint .* not valid$|^add constraint \S+ (unique|primary key) using index /, () => null],
  [
    /^add (constraint|check|foreign key|unique|primary key|exclude)\b/,
    () =>
      'reads the whole table under its lock: add the constraint `not valid` (a unique one `using index`) and `validate constraint` it in the next migration',
  ],
  [/^validate constraint /, () => null],
  [/^(drop constraint|enable row level security|force row level security|owner to|set \(|reset \()/, () => null],
  [/^alter (column )?\S+ (set default|drop default|drop not null|set statistics|set storage)/, () => null],
  [
    /^alter (column )?\S+ set not null$/,
    () =>
      'reads the whole table under its lock: add `check (<column> is not null) not valid`, validate it in the next migration, and then say `-- allowed: <constraint> is validated`',
  ],
  [
    /^alter (column )?\S+ (set data )?type /,
    () =>
      'rewrites the whole table under its lock: add a column of the new type, write both, fill it in batches, read it in a later release',
  ],
  [/^(drop column|rename)\b/, () => laterRelease],
];

function wrongColumn(definition) {
  const [, fallback] = / default (.+?)(?= not null| null|$)/.exec(` ${definition}`) ?? [];
  if (
    /\b(primary key|unique|references|generated|check)\b/.test(definition) ||
    /^(big|small)?serial\b/.test(definition)
  )
    return 'reads or rewrites the whole table under its lock: add the column alone, then its constraint as constraints are added';
  if (fallback !== undefined && !constant.test(fallback))
    return 'rewrites the whole table under its lock when its default differs from row to row: add the column without, `set default` in the next statement, and fill it in batches';
  if (/\bnot null\b/.test(definition) && fallback === undefined)
    return 'fails where rows are: give it a constant default';
  return null;
}

/** What a statement does wrong, by how it begins; null: nothing. */
const statements = [
  [
    /^create table (?:if not exists )?(\S+) partition of (\S+)/,
    ([, table, parent], file) =>
      void file.made.add(table) ??
      (file.made.has(parent)
        ? null
        : `locks ${parent} against everybody until it is there: create table (like ${parent} including all), and attach partition in the next migration`),
  ],
  [/^create table (?:if not exists )?\S+ (\([^()]*\) )?as /, () => inBatches],
  [
    /^create table (?:if not exists )?(\S+)(.*)$/,
    ([, table, rest], file) => void file.made.add(table) ?? lockReferenced(rest, file),
  ],
  [
    /^drop index concurrently (?:if exists )?(\S+)/,
    ([, index], file) =>
      void file.concurrent++ ??
      `may take away what keeps rows of the version before unique: say \`-- allowed: ${index} is not unique\` or why nobody needs it`,
  ],
  [/^create (unique )?index concurrently /, (_, file) => void file.concurrent++ ?? null],
  [
    /^create (?:unique )?index (?:if not exists )?\S+ on (?:only )?(\S+)/,
    ([, table], file) =>
      file.made.has(table)
        ? null
        : `stops the writers of ${table} until it is built: create index concurrently, in a migration of its own (\`.concurrently()\` in schema.ts)`,
  ],
  [
    /^drop index /,
    () => 'waits for a lock that stops everybody: drop index concurrently if exists, in a migration of its own',
  ],
  [/^alter table (?:only |if exists )*(\S+) (.*)$/, ([, table, rest], file) => alterTable(table, rest, file)],
  [
    /^create (?:or replace )?trigger .* on (\S+)|^create policy \S+ on (\S+)|^select tocsin\.isolate_table\('([^']+)'\)$/,
    ([, ...tables], file) => locked(tables.find(Boolean), file),
  ],
  [
    /^revoke .* on (?:table |function )?([\w.]+)(?:\(.*\))? from /,
    ([, name], file) => (file.made.has(name) ? null : `takes rights away: ${laterRelease}`),
  ],
  [/^create (?:or replace )?function ([\w.]+)/, ([, name], file) => void file.made.add(name) ?? null],
  [/^(create (or replace )?(procedure|view|type|sequence|role)|comment on|grant) /, () => null],
  [/^insert into .* select /, () => inBatches],
  [/^insert into /, () => null],
  [/^(truncate|drop) table (?:if exists )?(.*)$/, ([, word, names], file) => takeAway(word, names, file)],
  [/^(update|delete from|with|truncate) /, () => inBatches],
  [/^(drop|alter type|alter schema|alter sequence) /, () => laterRelease],
  [/^do /, () => 'cannot be looked into'],
];

/** What is allowed locks all the same. */
function takeAway(word, names, file) {
  const tables = names.replace(/ (cascade|restrict)$/, '').split(/, ?/);
  for (const table of tables) locked(table, file);
  return word === 'drop' ? laterRelease : inBatches;
}

/** A foreign key locks the table it leads to as well. */
function lockReferenced(text, file) {
  for (const [, table] of text.matchAll(/\breferences ([\w.]+)/g)) locked(table, file);
  return null;
}

function alterTable(table, rest, file) {
  lockReferenced(rest, file);
  if (file.made.has(table)) return null;
  locked(table, file);
  const wrong = splitActions(rest).flatMap((action) => wrongBy(actions, action, file) ?? []);
  if (/^validate constraint /.test(rest)) file.validated.add(table);
  return wrong[0] ?? null;
}

function locked(table, file) {
  if (!file.made.has(table)) file.locked.add(table);
  return null;
}

function wrongBy(forms, text, file) {
  for (const [form, verdict] of forms) {
    const found = form.exec(text);
    if (found) return verdict(found, file);
  }
  return 'is not known to be safe under load: write it as something that is';
}

/** Actions of one `alter table`, which commas outside of brackets and strings part. */
function splitActions(text) {
  const parts = text.match(/(?:'[^']*'|\((?:[^()]|\([^()]*\))*\)|[^,])+/g) ?? [];
  return parts.map((part) => part.trim());
}

/** Statements as the forms have them - without comments and quotes, in lower case, in one line - and why they are allowed, if so. */
function splitStatements(text) {
  const pieces = text.match(
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$|"[^"]*"|;|[^;'"$/-]+|[\s\S]/g,
  );
  const found = [{ text: '', isAllowed: false }];
  for (const piece of pieces ?? []) {
    const last = found.at(-1);
    if (piece === ';') found.push({ text: '', isAllowed: false });
    else if (piece.startsWith('--')) last.isAllowed ||= /^-- allowed: \S/.test(piece);
    else if (piece.startsWith('$')) last.text += '$$';
    else if (!piece.startsWith('/*'))
      last.text += piece.startsWith("'") ? piece : piece.replaceAll('"', '').toLowerCase();
  }
  return found
    .map(({ text, isAllowed }) => ({ text: text.replaceAll(/\s+/g, ' ').trim(), isAllowed }))
    .filter(({ text }) => text !== '');
}

/** What is wrong with one migration, in sentences. */
function problemsOf(text) {
  const file = { made: new Set(), locked: new Set(), validated: new Set(), concurrent: 0 };
  const all = splitStatements(text);
  const problems = all.flatMap((statement) => {
    const wrong = wrongBy(statements, statement.text, file);
    return wrong === null || statement.isAllowed ? [] : [`\`${statement.text.slice(0, 80)}\` ${wrong}`];
  });
  if (file.concurrent > 0 && file.concurrent < all.length)
    problems.push('builds indexes concurrently beside other statements: put them into a migration of their own');
  if (file.locked.size > 1)
    problems.push(
      `locks ${[...file.locked].join(', ')} at once: writers of one wait while the other is waited for; make a migration for each`,
    );
  if (file.validated.size > 0 && all.length > 1)
    problems.push('validates a constraint under the locks of other statements: put it into a migration of its own');
  return problems;
}

/** What is wrong with the migrations of a folder that are not released yet. */
export function unsafeMigrations(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql') && Number.parseInt(name, 10) > lastReleased)
    .sort()
    .flatMap((name) => problemsOf(readFileSync(join(folder, name), 'utf8')).map((problem) => `${name}: ${problem}`));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = unsafeMigrations(process.argv[2] ?? 'migrations');
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
}
