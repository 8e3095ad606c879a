import { type ExactNumber, exactNumber } from '../../../model/decimal.ts';

/** A number as whole digits and how many of them stand behind the point. */
export type Scaled = { readonly digits: bigint; readonly scale: number };

/** Digits behind the point within which a division must come out even to stay exact. */
const divisionDigits = 40;

/** A finite number with every digit. */
export function scaledOf(value: ExactNumber): Scaled {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

/** The sum of two numbers. */
export function add(a: Scaled, b: Scaled): ExactNumber {
  const [x, y, scale] = aligned(a, b);
  return numberOf({ digits: x + y, scale });
}

/** The first number less the second. */
export function subtract(a: Scaled, b: Scaled): ExactNumber {
  const [x, y, scale] = aligned(a, b);
  return numberOf({ digits: x - y, scale });
}

/** The product of two numbers. */
export function multiply(a: Scaled, b: Scaled): ExactNumber {
  return numberOf({ digits: a.digits * b.digits, scale: a.scale + b.scale });
}

/** The quotient, or the double nearest to one that does not come out even; undefined for a division by zero. */
export function divide(a: Scaled, b: Scaled): ExactNumber | undefined {
  const [x, y] = aligned(a, b);
  if (y === 0n) return undefined;
  const raised = x * 10n ** BigInt(divisionDigits);
  const quotient = numberOf({ digits: raised / y, scale: divisionDigits });
  return raised % y === 0n ? quotient : Number(quotient);
}

/** The quotient, rounded down to a whole number; undefined for a division by zero. */
export function divideWhole(a: Scaled, b: Scaled): ExactNumber | undefined {
  const [x, y] = aligned(a, b);
  return y === 0n ? undefined : numberOf({ digits: floorDivide(x, y), scale: 0 });
}

/** What a division leaves, with the sign of the first number; undefined for a division by zero. */
export function remainder(a: Scaled, b: Scaled): ExactNumber | undefined {
  const [x, y, scale] = aligned(a, b);
  return y === 0n ? undefined : numberOf({ digits: x % y, scale });
}

/** The number with at most so many digits behind the point; `common` rounds a half up, as Math.round does. */
export function round(value: Scaled, places: number, method: 'common' | 'ceil' | 'floor'): ExactNumber {
  if (value.scale <= places) return numberOf(value);
  const unit = 10n ** BigInt(value.scale - places);
  const raise = { common: unit / 2n, ceil: unit - 1n, floor: 0n }[method];
  return numberOf({ digits: floorDivide(value.digits + raise, unit), scale: places });
}

/** Without what stands behind the point. */
export function truncate({ digits, scale }: Scaled): ExactNumber {
  return numberOf({ digits: digits / 10n ** BigInt(scale), scale: 0 });
}

function aligned(a: Scaled, b: Scaled): [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale);
  return [a.digits * 10n ** BigInt(scale - a.scale), b.digits * 10n ** BigInt(scale - b.scale), scale];
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** The number again, in the simplest form that keeps its digits. */
function numberOf({ digits, scale }: Scaled): ExactNumber {
  const unit = 10n ** BigInt(scale);
  return exactNumber(digits % unit === 0n ? String(digits / unit) : `${digits}e-${scale}`);
}
