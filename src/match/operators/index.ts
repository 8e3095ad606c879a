import type { Operator } from '../operator.ts';
import { changeOperators } from './change.ts';
import { equalityOperators } from './equality.ts';
import { orderOperators } from './order.ts';
import { presenceOperators } from './presence.ts';
import { textOperators } from './text.ts';

/** Every operator of `field_value`, in the order documentation and editors show them. */
export const operators: readonly Operator[] = [
  ...equalityOperators,
  ...orderOperators,
  ...textOperators,
  ...presenceOperators,
  ...changeOperators,
];
