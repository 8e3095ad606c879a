import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseInput, pathText } from '../../src/model/parse-input.ts';

const schema = z.strictObject({
  name: z.string().min(1),
  channel: z.enum(['email', 'inbox']).default('inbox'),
  retry: z.strictObject({ attempts: z.number().max(9) }).optional(),
  parts: z
    .array(z.strictObject({ field: z.string(), value: z.union([z.string(), z.number()]).optional() }))
    .default([]),
  target: z.union([z.strictObject({ user: z.string() }), z.strictObject({ role: z.string() }), z.string()]).optional(),
  legacy: z.never({ error: 'write `name` instead' }).optional(),
});

const issuesOf = (input: unknown, base?: string) => {
  const parsed = parseInput(schema, input, base);
  return parsed.ok ? [] : parsed.error;
};

describe('parseInput', () => {
  test('answers the value with its defaults', () => {
    expect(parseInput(schema, { name: 'n' })).toEqual({ ok: true, value: { name: 'n', channel: 'inbox', parts: [] } });
  });

  test('says which unknown fields were meant, at every depth', () => {
    expect(issuesOf({ name: 'n', chanel: 'email', retry: { attempt: 3 }, parts: [{ field: 'a', vlaue: 1 }] })).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: 'chanel', message: 'unknown field "chanel": did you mean "channel"?' }),
        expect.objectContaining({ path: 'retry.attempt', didYouMean: 'attempts' }),
        expect.objectContaining({ path: 'parts[0].vlaue', allowed: ['field', 'value'] }),
      ]),
    );
  });

  test('lists what is allowed when nothing is near, without what is refused anyway', () => {
    expect(issuesOf({ name: 'n', zzz: 1 })).toEqual([
      {
        path: 'zzz',
        message: 'unknown field "zzz"; allowed: name, channel, retry, parts, target',
        allowed: ['name', 'channel', 'retry', 'parts', 'target'],
      },
    ]);
    expect(issuesOf({ name: 'n', legacy: 'old' })).toEqual([{ path: 'legacy', message: 'write `name` instead' }]);
  });

  test('says what is missing, what is of another kind and what is out of range', () => {
    expect(issuesOf({ retry: { attempts: 10 }, parts: 'none' })).toEqual([
      { path: 'name', message: 'is missing: expected string' },
      { path: 'retry.attempts', message: expect.stringContaining('<=9') },
      { path: 'parts', message: 'expected array, received string' },
    ]);
  });

  test('says which word of a closed list was meant', () => {
    expect(issuesOf({ name: 'n', channel: 'emial' })).toEqual([
      {
        path: 'channel',
        message: 'unknown value "emial": did you mean "email"?',
        allowed: ['email', 'inbox'],
        didYouMean: 'email',
      },
    ]);
  });

  test('speaks about the alternative of a union that the input comes near to', () => {
    expect(issuesOf({ name: 'n', target: 7 })).toEqual([
      { path: 'target', message: 'expected object or object or string' },
    ]);
    expect(issuesOf({ name: 'n', target: { user: 7 } })).toEqual([
      { path: 'target.user', message: 'expected string, received number' },
    ]);
    expect(issuesOf({ name: 'n', parts: [{ field: 'a', value: null }] })).toEqual([
      { path: 'parts[0].value', message: 'expected string or number' },
    ]);
  });

  test('puts where the input stands before every path', () => {
    expect(issuesOf({ nam: 'n' }, 'actions[2]').map((issue) => issue.path)).toEqual([
      'actions[2].name',
      'actions[2].nam',
    ]);
    expect(issuesOf(null, 'actions[2]').map((issue) => issue.path)).toEqual(['actions[2]']);
  });

  test('is not led astray by names of the prototype', () => {
    expect(issuesOf(JSON.parse('{"name":"n","__proto__":{"channel":"email"}}'))).toMatchObject([{ path: '__proto__' }]);
    expect(issuesOf({ name: 'n', constructor: 1, toString: 2 }).map((issue) => issue.path)).toEqual([
      'constructor',
      'toString',
    ]);
  });
});

describe('pathText', () => {
  test('writes keys with dots and indices in brackets', () => {
    expect(pathText('', ['a', 0, 'b'])).toBe('a[0].b');
    expect(pathText('actions[1]', ['retry'])).toBe('actions[1].retry');
    expect(pathText('', [])).toBe('');
  });
});
