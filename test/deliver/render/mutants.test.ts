import { describe, expect, test } from 'vitest';
import { seed } from '../../support/fuzz.ts';
import { canary, corpus, harmOf, hostileContext, run, sourceOf } from './corpus.ts';

const count = Number(process.env.TOCSIN_MUTANTS ?? 100_000);
const longestParent = 2_000;

const tokens = [
  ...[
    '{{',
    '}}',
    '{%',
    '%}',
    '{#',
    '#}',
    '{%-',
    '-%}',
    '(',
    ')',
    '[',
    ']',
    '|',
    '.',
    ',',
    '"',
    "'",
    '~',
    '+',
    '**',
    '`',
    '\\',
  ],
  ...[
    ' if ',
    ' else ',
    ' for ',
    ' in ',
    ' set ',
    ' is ',
    ' not ',
    ' and ',
    ' or ',
    'endif',
    'endfor',
    'raw',
    'endraw',
    ' defined',
  ],
  ...[
    'payload',
    'payload.name',
    'payload.items',
    'payload.poison',
    'payload.evil',
    'payload.deep',
    'payload.url',
    'loop',
    'secret',
  ],
  ...[
    'constructor',
    '__proto__',
    'prototype',
    'toString',
    'valueOf',
    'this',
    'range',
    'joiner',
    'cycler',
    'super',
    'caller',
  ],
  ...[
    '|upper',
    '|join(payload.as)',
    '|sort',
    '|replace("", "x")',
    '|list',
    '|dump',
    '|safe',
    '|escape',
    '|nl2br',
    '|date',
    '|batch(9)',
  ],
  ...[
    '<a href="',
    '<b>',
    '<script>',
    '<!--',
    '-->',
    ' onclick="',
    '>',
    '1e9',
    '999999999',
    '-1',
    'none',
    '\u0000',
    '\ud800',
  ],
];

/** Random numbers in [0, 1) that depend on the seed only (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A parent with one to four changes: a token put in, a part cut out, doubled, or taken from another parent. */
function mutate(parents: readonly string[], random: () => number): string {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let source = pick(parents);
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const [from, size] = [Math.floor(random() * source.length), Math.floor(random() * 20)];
    const [before, part, after] = [source.slice(0, from), source.slice(from, from + size), source.slice(from + size)];
    const other = pick(parents);
    const start = Math.floor(random() * other.length);
    const middles = [pick(tokens) + part, '', part + part, pick(tokens), other.slice(start, start + 40)];
    source = before + pick(middles) + after;
  }
  return source;
}

describe('compileTemplate against mutants of the corpus', () => {
  test(`lets none of ${count} mutants (seed ${seed}) do harm, throw or take longer than 250 ms`, {
    timeout: 600_000,
  }, () => {
    process.env.SECRET_CANARY = canary;
    const random = randomFrom(seed);
    const parents = corpus.map(sourceOf).filter((source) => source.length <= longestParent);
    const context = hostileContext();
    const misses: string[] = [];
    let rendered = 0;
    for (let index = 0; index < count; index++) {
      const source = mutate(parents, random);
      const sink = (['html', 'text', 'line'] as const)[index % 3] ?? 'text';
      const outcome = run(source, context, sink);
      const harm = harmOf(outcome, source, sink) ?? (outcome.ms < 250 ? undefined : `took ${outcome.ms} ms`);
      if (harm) misses.push(`${sink}: ${harm}\n${source}`);
      if (outcome.text !== undefined) rendered++;
    }
    expect(misses).toEqual([]);
    expect(rendered).toBeGreaterThan(count / 20);
  });
});
