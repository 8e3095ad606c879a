import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { environment, presets, settingsSchema } from '../../src/config.ts';
import { mailRoots, messageData } from '../../src/deliver/actions/action-templates.ts';
import { compileTemplate } from '../../src/deliver/render/compile-template.ts';
import { filters } from '../../src/deliver/render/filters/index.ts';
import { limits } from '../../src/deliver/render/limits.ts';
import { valueTests } from '../../src/deliver/render/run/value-test.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { errorCodes } from '../../src/errors.ts';
import { operators } from '../../src/match/operators/index.ts';
import { eventFields } from '../../src/model/event.ts';
import { executionStatuses } from '../../src/model/execution.ts';
import { reasons } from '../../src/model/reason.ts';
import { defaultRetryPolicy } from '../../src/model/retry.ts';
import { filterOperators, parameterTypes } from '../../src/model/saved-filter.ts';
import { maxDefinitionBytes, maxDefinitionDepth } from '../../src/service/clean-json.ts';
import { sampleUser } from '../support/memory-directory.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { asUsersWrite, readBlocks, readme, readRegion, readTable, readWords, root } from './read-readme.ts';

const blocks = readBlocks(readme);

describe('examples in README', () => {
  test.each(blocks.filter(({ language }) => language === 'ts'))(
    'line $line is a verbatim excerpt ($source)',
    ({ source, text }) => {
      const [, file = '', , region] = /^example: ([\w.-]+)(#([\w-]+))?$/.exec(source) ?? [];
      if (region !== undefined) expect(text).toBe(readRegion(file, region));
      else expect(asUsersWrite(readFileSync(`${root}examples/${file}`, 'utf8'))).toContain(`\n${text}\n`);
    },
  );

  test.each(blocks.filter(({ source }) => source.startsWith('file: ')))(
    'line $line is the whole of a file ($source)',
    ({ source, text }) => {
      expect(`${text}\n`).toBe(readFileSync(`${root}${source.slice('file: '.length)}`, 'utf8'));
    },
  );

  test('every block says where it comes from, or is of a kind that is run by hand', () => {
    const unexplained = blocks.filter(({ language, source }) => source === '' && !['sh', 'sql'].includes(language));
    expect(unexplained).toEqual([]);
  });

  test('every region of an example stands in README', () => {
    const shown = new Set(blocks.map(({ source }) => source));
    const files = [...new Set(blocks.map(({ source }) => /^example: ([\w.-]+)#/.exec(source)?.[1]))];
    const regions = files.flatMap((file) =>
      file === undefined
        ? []
        : [...readFileSync(`${root}examples/${file}`, 'utf8').matchAll(/\/\/ #region (\S+)/g)].map(
            ([, region]) => `example: ${file}#${region}`,
          ),
    );
    expect(regions.filter((region) => !shown.has(region))).toEqual([]);
  });

  test('npm scripts exist', () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script]) => script ?? '');
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
  });

  test('links lead to headings and files that are there', () => {
    const headings = [...readme.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
    const targets = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const broken = targets.filter((target) => {
      if (target.startsWith('https://')) return false;
      return target.startsWith('#') ? !headings.includes(target.slice(1)) : !existsSync(`${root}${target}`);
    });
    expect(targets.length).toBeGreaterThan(30);
    expect(broken).toEqual([]);
  });
});

describe('what README lists is what there is', () => {
  const handlers = createHandlers();

  test.each([
    ['Conditions', handlers.conditions.types()],
    ['Actions', handlers.actions.types()],
    ['Recipients', handlers.recipients.types()],
  ])('%s', (heading, types) => {
    const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
    const described = [...section.matchAll(/^### `(\w+)`$/gm)].map(([, type]) => type);
    expect(described).toEqual(types);
    for (const type of types) expect(section).toContain(`type: '${type}'`);
  });

  test('operators, and what may stand beside them', () => {
    const listed = readTable('operators');
    expect(listed.map(([name]) => name).toSorted()).toEqual(operators.map(({ name }) => name).toSorted());
    const withField = operators.filter((operator) => operator.kind === 'binary' && operator.allowsField);
    const saidSo = listed.filter(([, beside = '']) => beside.includes('valueField')).map(([name]) => name);
    expect(saidSo.toSorted()).toEqual(withField.map(({ name }) => name).toSorted());
  });

  test('operators and parameter types of saved queries', () => {
    const section = readme.split('\n## Saved queries\n')[1]?.split('\n## ')[0] ?? '';
    for (const word of [...filterOperators, ...parameterTypes]) expect(section).toContain(`\`${word}\``);
  });

  test('what templates read', () => {
    const listed = new Map(readTable('template-roots').map(([root = '', fields = '']) => [root, fields]));
    expect([...listed.keys()]).toEqual([...mailRoots, 'secret']);
    const data = messageData({
      event: sampleEvent(),
      workflow: { id: 'w1', name: 'workflow', version: 1 },
      recipient: sampleUser('u1'),
    });
    const fieldsOf = (name: 'recipient' | 'workflow') => Object.keys(data[name] as object).join(', ');
    expect(listed.get('event')).toBe(`${eventFields.join(', ')}.`);
    expect(listed.get('recipient')).toContain(fieldsOf('recipient'));
    expect(listed.get('workflow')).toBe(`${fieldsOf('workflow')}.`);
  });

  test('fields of loops', () => {
    const fields = [...readme.matchAll(/`(loop\.\w+)`/g)].map(([, field]) => `{{ ${field} }}`).join('');
    const template = compileTemplate(`{% for item in payload.items %}${fields}{% endfor %}`, { sink: 'text' });
    expect(template.ok ? '' : template.error.message).toBe('');
  });

  test.each([
    'call: {{ payload.name() }}',
    'macros: {% macro m() %}{% endmacro %}',
    'include: {% include "x" %}',
    'import: {% import "x" as y %}',
    'extends: {% extends "x" %}',
    'block: {% block b %}{% endblock %}',
    'set blocks: {% set x %}a{% endset %}',
    'regular expressions: {{ r/a/ }}',
    'safe: {{ payload.name | safe }}',
    'object literals: {{ { a: 1 } }}',
    'names: {{ payload.__proto__ }}',
    'names: {{ payload.constructor }}',
    'names: {{ payload.prototype }}',
  ])('what templates refuse: %s', (source) => {
    const template = compileTemplate(source, { sink: 'text' });
    expect(template.ok ? null : template.error).toMatchObject({ line: 1 });
  });

  test('tests of templates', () => {
    expect(readWords('words: tests')).toEqual([...valueTests.keys()]);
  });

  test('filters of templates, each with what it makes of the data', () => {
    const data = JSON.parse(blocks.find(({ source }) => source === 'data')?.text ?? '') as unknown;
    const shown = blocks.find(({ source }) => source === 'filters')?.text ?? '';
    for (const line of shown.split('\n')) {
      const [source = '', expected] = line.split(/ +-> +/);
      const template = compileTemplate(source, { sink: 'text', roots: ['payload'] });
      if (!template.ok) throw new Error(`${source}: ${template.error.message}`);
      const text = template.value.render({ payload: data });
      expect([source, text.ok ? text.value.replace(/\s/g, ' ').trim() : text.error.message]).toEqual([
        source,
        expected,
      ]);
    }
    const unused = [...filters.keys()].filter((name) => !new RegExp(`\\| ${name}\\b`).test(shown));
    expect(unused).toEqual([]);
  });

  test('statuses of executions', () => {
    expect(readTable('execution-statuses').map(([status]) => status)).toEqual([...executionStatuses]);
  });

  test('reasons', () => {
    expect(readTable('reasons')).toEqual(Object.entries(reasons));
  });

  test('error codes', () => {
    const rows = Object.entries(errorCodes).map(([code, { exitCode, httpStatus, retryable, meaning }]) => [
      code,
      String(exitCode),
      String(httpStatus),
      retryable ? 'yes' : 'no',
      meaning.replaceAll('`', ''),
    ]);
    expect(readTable('errors')).toEqual(rows);
  });

  test('environment variables', () => {
    const rows = readTable('environment').map(([name, option = '']) => [name, option.toLowerCase().replace(/\.$/, '')]);
    const known = Object.entries(environment).map(([name, option]) => [name, option.toLowerCase().replaceAll('`', '')]);
    expect(rows).toEqual(known);
  });

  test('options and their defaults', () => {
    const listed = readTable('options').map(([option, byDefault]) => [option, byDefault]);
    const known = leavesOf(z.toJSONSchema(settingsSchema, { io: 'input' }) as JsonSchema);
    expect(listed.map(([option]) => option)).toEqual(known.map(([option]) => option));
    const withDefaults = known.filter(([, byDefault]) => byDefault !== undefined);
    expect(listed).toEqual(expect.arrayContaining(withDefaults));
  });

  test('commands', async () => {
    const known = (await readCommands()).flatMap(({ name, subcommands }) =>
      subcommands.length === 0 ? [name] : subcommands.map((subcommand) => `${name} ${subcommand}`),
    );
    const listed = readTable('commands').map(([command]) => command);
    expect(listed.toSorted()).toEqual(known.toSorted());
  });

  test('flags of commands that are shown and not run', async () => {
    const commands = new Map((await readCommands()).map((command) => [command.name, command]));
    const lines = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.split('\n').filter((line) => line.startsWith('npx tocsin ')));
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const [, , name = '', ...rest] = line.split(' ');
      const flags = rest.filter((word) => word.startsWith('--'));
      expect(commands.get(name)?.flags).toEqual(expect.arrayContaining(flags));
    }
  });

  test('presets of workers', () => {
    for (const [name, { stages, queues }] of Object.entries(presets)) {
      const served = queues ? queues.map((queue) => `\`${queue}\``).join(', ') : 'all';
      expect(readme).toContain(`| \`${name}\` | ${stages.join(', ')} | ${served} |`);
    }
  });

  test('defaults of the retry policy', () => {
    for (const [name, value] of Object.entries(defaultRetryPolicy)) {
      if (typeof value === 'number') expect(readme).toContain(`\`${name}\` (${value.toLocaleString('en')})`);
    }
  });

  test('limits', () => {
    const shown = readTable('limits').flat().join('\n');
    expect(shown).toContain(`${maxDefinitionBytes / 1024} KiB, ${maxDefinitionDepth} levels`);
    expect(shown).toContain(
      `${limits.sourceChars / 1024} Ki characters; ${limits.steps.toLocaleString('en')} steps; ${limits.outputChars / 1024} Ki characters of output`,
    );
  });
});

type CommandShape = {
  readonly name: string;
  readonly subcommands: readonly string[];
  readonly flags: readonly (string | undefined)[];
};

/** Every command of the command line, as its file declares it. */
async function readCommands(): Promise<CommandShape[]> {
  const files = readdirSync(`${root}src/cli/commands`).map((file) => file.replace(/\.ts$/, ''));
  const modules = await Promise.all(
    files.map((file) => import(`../../src/cli/commands/${file}.ts`) as Promise<Record<string, unknown>>),
  );
  return modules
    .flatMap((module) => Object.entries(module).filter(([name]) => name.endsWith('Command')))
    .map(([, make]) => (make as () => Command)())
    .map((command) => ({
      name: command.name(),
      subcommands: command.commands.map((subcommand) => subcommand.name()),
      flags: command.options.map(({ long }) => long ?? undefined),
    }));
}

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly default?: unknown;
};

/** The settings by their dotted names, each with its default as README writes it. */
function leavesOf(schema: JsonSchema, prefix = ''): [option: string, byDefault: string | undefined][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    if (property.properties) return leavesOf(property, `${prefix}${name}.`);
    const byDefault = property.default === undefined ? undefined : JSON.stringify(property.default);
    return [[`${prefix}${name}`, byDefault] as [string, string | undefined]];
  });
}

/** The anchor that a heading gets where README is shown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}
