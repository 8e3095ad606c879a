import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allOf, anyOf, notOf, type Verdict } from '../../src/model/condition.ts';

const verdict = fc.constantFrom<Verdict>(true, false, 'error', 'deferred');
const verdicts = fc.array(verdict, { maxLength: 5 });

describe('allOf', () => {
  test('is false by one false, whatever else there is', async () => {
    await fc.assert(fc.property(verdicts, verdicts, (before, after) => allOf([...before, false, ...after]) === false));
  });

  test('without a false is open while one is deferred, for that may be false yet; else an error by one error', () => {
    expect(allOf([true, 'deferred', 'error'])).toBe('deferred');
    expect(allOf([true, 'error', true])).toBe('error');
    expect(allOf([true, true])).toBe(true);
    expect(allOf([])).toBe(true);
  });

  test('does not depend on the order', async () => {
    await fc.assert(fc.property(verdicts, (list) => allOf(list) === allOf([...list].reverse())));
  });
});

describe('anyOf', () => {
  test('is what is not false of all the opposites', async () => {
    await fc.assert(fc.property(verdicts, (list) => anyOf(list) === notOf(allOf(list.map(notOf)))));
  });
});

describe('notOf', () => {
  test('leaves what could not be decided undecided', () => {
    expect(notOf('error')).toBe('error');
    expect(notOf('deferred')).toBe('deferred');
    expect(notOf(true)).toBe(false);
  });
});
