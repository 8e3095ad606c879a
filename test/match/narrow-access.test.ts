import { describe, expect, test } from 'vitest';
import { narrowAccess } from '../../src/match/narrow-access.ts';

describe('narrowAccess', () => {
  test('looks at 16 fields at most, and says when that is not all', () => {
    const needs = Array.from({ length: 17 }, (_, i) => ({ segments: ['payload', `field_${i}`], values: [i, i, -i] }));
    const narrow = narrowAccess(needs);
    expect(narrow.accesses).toHaveLength(16);
    expect(narrow.accesses[1]).toMatchObject({ path: 'payload.field_1', keys: [1, -1] });
    expect(narrow.saysAll).toBe(false);
    expect(narrowAccess(needs.slice(0, 16)).saysAll).toBe(true);
  });
});
