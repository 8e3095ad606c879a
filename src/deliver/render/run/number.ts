import { limits } from '../limits.ts';

const largest = 10n ** BigInt(limits.integerDigits);
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const longestNumber = 400;

/** A number a template can count with: finite, or a whole number beyond 2^53 as bigint. */
export type Numeric = number | bigint;

/** The value as number; decimal text counts as its number, anything else (also true, null, "") as undefined. */
export function numericOf(value: unknown): Numeric | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'bigint') return inRange(value);
  if (typeof value !== 'string' || value.length > longestNumber) return undefined;
  const text = value.trim();
  if (!decimal.test(text)) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && !Number.isSafeInteger(number) && /^[+-]?\d+$/.test(text))
    return BigInt(text.replace('+', ''));
  return Number.isFinite(number) ? number : undefined;
}

function inRange(value: bigint): bigint | undefined {
  return value < largest && value > -largest ? value : undefined;
}

/** The arithmetic of the language. */
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/**
 * Counts with two values. Whole numbers stay exact beyond 2^53 for `+`, `-`, `*`, `//` and `%`. What has no finite
 * answer (a missing operand, division by zero) is undefined, so that it renders as nothing and `default` applies.
 */
export function calculate(operator: ArithmeticOperator, left: unknown, right: unknown): Numeric | undefined {
  const a = numericOf(left);
  const b = numericOf(right);
  if (a === undefined || b === undefined) return undefined;
  if (typeof a === 'bigint' || typeof b === 'bigint') {
    const [x, y] = [wholeOf(a), wholeOf(b)];
    const exact = x === undefined || y === undefined ? undefined : calculateWhole(operator, x, y);
    if (exact !== undefined) return settle(exact);
  }
  const result = calculateFloat(operator, Number(a), Number(b));
  return Number.isFinite(result) ? result : undefined;
}

function wholeOf(value: Numeric): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return Number.isInteger(value) ? BigInt(value) : undefined;
}

/** A bigint only where a number would lose digits. */
export function settle(value: bigint): Numeric | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : inRange(value);
}

function calculateWhole(operator: ArithmeticOperator, a: bigint, b: bigint): bigint | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '//':
      return b === 0n ? undefined : floorDivide(a, b);
    case '%':
      return b === 0n ? undefined : a % b;
    case '/':
    case '**':
      return undefined;
  }
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function calculateFloat(operator: ArithmeticOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a % b;
    case '**':
      return a ** b;
  }
}
