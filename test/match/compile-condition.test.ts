import { describe, expect, test } from 'vitest';
import { refusals } from './compile.ts';

describe('compileCondition', () => {
  test('refuses what has no type, an unknown type, or is no object', () => {
    expect(refusals({ type: 'feild_value', field: 'x', operator: 'eq', value: 1 })).toEqual([
      'conditions[0].type: unknown condition type "feild_value": did you mean "field_value"?',
    ]);
    expect(refusals({ field: 'x' })[0]).toMatch(/^conditions\[0\]\.type: is missing/);
    expect(refusals('field_value')).toHaveLength(1);
    expect(refusals(null)).toHaveLength(1);
  });

  test('takes what the seed wrote for its conditions, apart from its names for type and config', () => {
    expect(refusals({ type: 'field_value', condition_config: { field: 'x' } }).join('\n')).toMatch(
      /unknown field "condition_config"/,
    );
  });
});
