import { describe, expect, test } from 'vitest';
import { logLevelFromEnvironment, readSettings } from '../src/config.ts';

const databaseUrl = 'postgres://tocsin@localhost/shop';

describe('readSettings', () => {
  test('fills in the defaults', () => {
    expect(readSettings({ databaseUrl })).toMatchObject({ databaseUrl, poolSize: 10, worker: { lanes: 2 } });
  });

  test.each([
    [{ databaseUrl, pollSize: 5 }, 'pollSize: unknown field "pollSize": did you mean "poolSize"?'],
    [{ databaseUrl: 'mysql://x' }, 'databaseUrl: must be a postgres:// URL'],
    [{ databaseUrl, worker: { stages: ['mach'] } }, 'worker.stages[0]: unknown value "mach": did you mean "match"?'],
    [{ databaseUrl, poolSize: 'x' }, 'poolSize: expected number, received string'],
  ])('names the option and what it may be: %j', (options, problem) => {
    expect(() => readSettings(options)).toThrow(
      expect.objectContaining({ code: 'invalid', message: expect.stringContaining(problem) }),
    );
  });
});

describe('logLevelFromEnvironment', () => {
  test('is `info` unless a level is given', () => {
    expect(['', 'debug', 'silent'].map((level) => logLevelFromEnvironment({ TOCSIN_LOG_LEVEL: level }))).toEqual([
      'info',
      'debug',
      'silent',
    ]);
    expect(() => logLevelFromEnvironment({ TOCSIN_LOG_LEVEL: 'wran' })).toThrow('did you mean "warn"?');
  });
});
