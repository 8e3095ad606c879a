import { Decimal, type ExactNumber, exactNumber, isExactNumber } from '../../../model/decimal.ts';
import { limits } from '../limits.ts';
import { add, divide, divideWhole, multiply, remainder, type Scaled, scaledOf, subtract } from './scaled.ts';

const largest = 10n ** BigInt(limits.numberDigits);
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const longestText = 2 * limits.numberDigits;

/** The value as a number, exactly; decimal text counts as its number, anything else (also true, null, "") as undefined. */
export function numericOf(value: unknown): ExactNumber | undefined {
  if (typeof value !== 'string') return isExactNumber(value) ? withinLimits(value) : undefined;
  if (value.length > longestText) return undefined;
  const text = value.trim();
  return decimal.test(text) ? withinLimits(exactNumber(text)) : undefined;
}

/** The number, if it is finite and counting with it is quick; a Decimal with an exponent is far from both. */
function withinLimits(number: ExactNumber): ExactNumber | undefined {
  if (typeof number === 'number') return Number.isFinite(number) ? number : undefined;
  if (typeof number === 'bigint') return number < largest && number > -largest ? number : undefined;
  const digits = String(number);
  return digits.length <= limits.numberDigits && !digits.includes('e') ? number : undefined;
}

/** The arithmetic of the language. */
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/**
 * Counts with two values. Two ordinary numbers count as everywhere in JavaScript; if one of them has more digits than that
 * keeps, `+`, `-`, `*`, `//`, `%` and divisions that come out even are exact. What has no finite answer (a missing operand,
 * division by zero) is undefined, so that it renders as nothing and `default` applies.
 */
export function calculate(operator: ArithmeticOperator, left: unknown, right: unknown): ExactNumber | undefined {
  const a = numericOf(left);
  const b = numericOf(right);
  if (a === undefined || b === undefined) return undefined;
  if (typeof a !== 'number' || typeof b !== 'number') {
    const exact = calculateExactly(operator, scaledOf(a), scaledOf(b));
    if (exact !== undefined) return settle(exact);
  }
  return withinLimits(calculateFloat(operator, Number(a), Number(b)));
}

/** A result in the simplest form; whole numbers beyond the limit are undefined, longer fractions are rounded. */
export function settle(number: ExactNumber): ExactNumber | undefined {
  const settled = withinLimits(number);
  return settled === undefined && number instanceof Decimal ? withinLimits(Number(number)) : settled;
}

function calculateExactly(operator: ArithmeticOperator, a: Scaled, b: Scaled): ExactNumber | undefined {
  switch (operator) {
    case '+':
      return add(a, b);
    case '-':
      return subtract(a, b);
    case '*':
      return multiply(a, b);
    case '/':
      return divide(a, b);
    case '//':
      return divideWhole(a, b);
    case '%':
      return remainder(a, b);
    case '**':
      return undefined;
  }
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
