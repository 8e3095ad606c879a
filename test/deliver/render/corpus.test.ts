import { beforeAll, describe, expect, test } from 'vitest';
import { messageRoots } from '../../../src/deliver/actions/action-templates.ts';
import { compileTemplate } from '../../../src/deliver/render/compile-template.ts';
import { canary, corpus, harmOf, hostileContext, run, sourceOf } from './corpus.ts';

describe('compileTemplate against the corpus of hostile templates', () => {
  let context: Record<string, unknown>;

  beforeAll(() => {
    process.env.SECRET_CANARY = canary;
    context = hostileContext();
  });

  const attacks = corpus.filter(({ kind }) => kind !== 'benign');
  const controls = corpus.filter(({ kind }) => kind === 'benign');

  test('holds the corpus it was written for', () => {
    expect([attacks.length, controls.length]).toEqual([129, 11]);
  });

  test.each(attacks)('$id ($kind) is refused, ends in a named error or stays harmless, within 200 ms', (entry) => {
    const source = sourceOf(entry);
    for (const sink of ['html', 'text', 'line', 'json'] as const) {
      const outcome = run(source, context, sink);
      expect(harmOf(outcome, source, sink)).toBeUndefined();
      expect(outcome.ms).toBeLessThan(200);
    }
    expect(run('{{ payload.name }}', context, 'html').text).toBe('Ann &lt;b&gt;');
  });

  test.each(attacks.filter(({ kind }) => kind === 'rce' || kind === 'file'))('$id ($kind) cannot be saved', (entry) => {
    expect(run(sourceOf(entry), context, 'text').error).toBeDefined();
  });

  test.each(attacks.filter(({ kind }) => kind === 'secret'))(
    '$id cannot be saved: messages know no secrets',
    (entry) => {
      const template = compileTemplate(sourceOf(entry), { sink: 'text', roots: messageRoots });
      expect(template).toMatchObject({ ok: false, error: { code: 'unknown_name' } });
    },
  );

  test.each(controls)('$id renders as it should', (entry) => {
    expect(run(sourceOf(entry), context, 'html').text).toBe(entry.expect);
  });
});
