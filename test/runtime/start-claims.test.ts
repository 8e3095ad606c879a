import { describe, expect, test } from 'vitest';
import { StartClaims } from '../../src/runtime/start-claims.ts';

describe('StartClaims', () => {
  let now = 1_000;
  const moved = (ms: number) => {
    now += ms;
  };
  const start = () => new StartClaims({ now: () => now });

  test('has one lane claim from the start, and the next a quarter of a second after that has ended', () => {
    const claims = start();
    expect(claims.begin()).toBe(true);
    expect(claims.begin()).toBe(false);
    moved(10);
    claims.ended(10);
    moved(249);
    expect(claims.begin()).toBe(false);
    moved(1);
    expect(claims.begin()).toBe(true);
  });

  test('has another lane claim when the first is held up in its batch', () => {
    const claims = start();
    expect(claims.begin()).toBe(true);
    moved(250);
    expect(claims.begin()).toBe(true);
  });

  test('takes no more than a twentieth of the time', () => {
    const claims = start();
    expect(claims.begin()).toBe(true);
    moved(100);
    claims.ended(100);
    moved(1_999);
    expect(claims.begin()).toBe(false);
    moved(1);
    expect(claims.begin()).toBe(true);
  });
});
