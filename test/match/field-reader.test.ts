import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldReader } from '../../src/match/field-reader.ts';
import { exactNumber } from '../../src/model/decimal.ts';
import { readField } from '../../src/model/field-path.ts';
import type { Json } from '../../src/model/json.ts';
import { subjectOf } from './compile.ts';

describe('fieldReader', () => {
  test('reads what readField reads, however deep the path is and whatever is there', async () => {
    const name = fc.constantFrom('a', 'b', '0', 'length', 'toString', 'digits', 'map');
    const { value } = fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<Json>(null, 1, 'text', true, 2n ** 60n, exactNumber('12345678901234567.89')),
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(name, tie('value'), { maxKeys: 3 }),
      ),
    }));
    const path = fc.tuple(
      fc.constantFrom('payload', 'payload', 'payload', 'previous', 'event'),
      fc.array(name, { minLength: 1, maxLength: 5 }),
    );
    await fc.assert(
      fc.property(value, value, path, (payload, previous, [root, names]) => {
        const subject = subjectOf({ payload, previous });
        const segments = [root, ...names];
        expect(fieldReader(segments)(subject)).toBe(readField(subject.event, segments));
      }),
      { numRuns: 2_000 },
    );
  });

  test('is the same function for the same path, and for others not', () => {
    const reader = fieldReader(['payload', 'customer', 'id']);
    expect(fieldReader(['payload', 'customer', 'id'])).toBe(reader);
    expect(fieldReader(['previous', 'customer', 'id'])).not.toBe(reader);
    expect(fieldReader(['payload', 'customer'])).not.toBe(reader);
  });
});
