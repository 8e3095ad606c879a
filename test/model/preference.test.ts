import { describe, expect, test } from 'vitest';
import { isMuted } from '../../src/model/preference.ts';

describe('isMuted', () => {
  const all = (muted: boolean) => ({ workflowId: null, muted });
  const own = (muted: boolean) => ({ workflowId: 'w1', muted });

  test.each([
    ['nothing was said', [], false],
    ['all are muted', [all(true)], true],
    ['this one is muted', [own(true)], true],
    ['another one is muted', [{ workflowId: 'w2', muted: true }], false],
    ['all but this one are muted', [all(true), own(false)], false],
    ['all are unmuted but this one', [own(true), all(false)], true],
  ])('when %s', (_what, rules, muted) => {
    expect(isMuted(rules, 'w1')).toBe(muted);
  });
});
