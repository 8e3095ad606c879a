import { describe, expect, test } from 'vitest';
import { deliveryId } from '../../src/model/derived-id.ts';
import { idRange } from '../../src/store/id-range.ts';

describe('idRange', () => {
  test('holds everything that derives from the ids, and nothing of the milliseconds before and after', () => {
    const execution = '01990000-0001-8abc-9def-0123456789ab';
    const { lowest, highest } = idRange(execution, execution);
    for (const recipient of ['a', 'b', 'c']) {
      const derived = deliveryId(execution, 'mail', recipient);
      expect(lowest < derived && derived < highest).toBe(true);
    }
    expect('01990000-0000-ffff-ffff-ffffffffffff' < lowest).toBe(true);
    expect(highest < '01990000-0002-0000-0000-000000000000').toBe(true);
  });
});
