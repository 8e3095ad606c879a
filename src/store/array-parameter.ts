/**
 * Columns of a bulk statement, each as one array parameter in PostgreSQL's binary format (`array_send`); a `Buffer` tells the
 * driver that a parameter is binary. In the text format every element is quoted, escaped and parsed again: binary arrays halve
 * what the parameters of a batch cost on both sides.
 *
 * None of these throws. What has no binary form (a malformed UUID) makes its column a text array, which the server refuses: in
 * a flight of statements one that is refused undoes the transaction, and one that was never sent would not.
 */

/** An array parameter: binary, or as the driver writes it. */
export type ArrayParameter = Buffer | readonly unknown[];

/** A `text[]`. */
export function textArray(values: readonly (string | null)[]): ArrayParameter {
  let atMost = 0;
  for (const value of values) if (value !== null) atMost += value.length * longestUtf8;
  return arrayParameter(values, { oid: 25, bytes: atMost, write: (buffer, at, value) => buffer.write(value, at) });
}

/** A `uuid[]`. */
export function uuidArray(values: readonly (string | null)[]): ArrayParameter {
  return arrayParameter(values, { oid: 2950, bytes: values.length * 16, write: writeUuid });
}

/** An `int[]`. */
export function intArray(values: readonly number[]): ArrayParameter {
  return arrayParameter(values, {
    oid: 23,
    bytes: values.length * 4,
    write: (buffer, at, value) => buffer.writeInt32BE(value, at) - at,
  });
}

/** A `bigint[]`, from decimal digits. */
export function bigintArray(values: readonly string[]): ArrayParameter {
  return arrayParameter(values, {
    oid: 20,
    bytes: values.length * 8,
    write: (buffer, at, value) => buffer.writeBigInt64BE(BigInt(value), at) - at,
  });
}

/** A `bool[]`. */
export function boolArray(values: readonly boolean[]): ArrayParameter {
  return arrayParameter(values, {
    oid: 16,
    bytes: values.length,
    write: (buffer, at, value) => buffer.writeUInt8(Number(value), at) - at,
  });
}

/** How the elements of an array are written. */
type Element<T> = {
  /** Of the type in `pg_type`; the same in every PostgreSQL. */
  readonly oid: number;
  /** Room that all elements together take, at most. */
  readonly bytes: number;
  /** Writes one element and answers how many bytes it took. */
  readonly write: (buffer: Buffer, at: number, value: T) => number;
};

/** A UTF-16 code unit takes at most this many bytes in UTF-8. */
const longestUtf8 = 3;
const wordBytes = 4;
const headerWords = 5;
const nullLength = -1;

function arrayParameter<T>(values: readonly (T | null)[], element: Element<T>): ArrayParameter {
  try {
    return writeArray(values, element);
  } catch {
    return values;
  }
}

/** The header, then length and bytes of each element. */
function writeArray<T>(values: readonly (T | null)[], { oid, bytes, write }: Element<T>): Buffer {
  const buffer = Buffer.allocUnsafe((headerWords + values.length) * wordBytes + bytes);
  let at = headerWords * wordBytes;
  let hasNulls = 0;
  for (const value of values) {
    if (value === null) {
      hasNulls = 1;
      at = buffer.writeInt32BE(nullLength, at);
    } else {
      const length = write(buffer, at + wordBytes, value);
      at = buffer.writeInt32BE(length, at) + length;
    }
  }
  const dimensions = 1;
  const firstIndex = 1;
  const header = [dimensions, hasNulls, oid, values.length, firstIndex];
  for (const [index, word] of header.entries()) buffer.writeInt32BE(word, index * wordBytes);
  return buffer.subarray(0, at);
}

const uuidBytes = 16;
const uuidLength = 36;
/** Where the pairs of digits stand in the text of a UUID. */
const digitPairs = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const highestDigit = 0xf;
const notDigit = 0xff;
/** Value of a hexadecimal digit by its character code. */
const digitValues = new Uint8Array(128).fill(notDigit);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  digitValues[digit.charCodeAt(0)] = value;
  digitValues[digit.toUpperCase().charCodeAt(0)] = value;
}

function writeUuid(buffer: Buffer, at: number, uuid: string): number {
  let allDigits = 0;
  for (let index = 0; index < uuidBytes; index++) {
    const pair = digitPairs[index] as number;
    const high = digitValues[uuid.charCodeAt(pair)] ?? notDigit;
    const low = digitValues[uuid.charCodeAt(pair + 1)] ?? notDigit;
    allDigits |= high | low;
    buffer[at + index] = (high << 4) | low;
  }
  if (allDigits > highestDigit || uuid.length !== uuidLength) throw new Error(`"${uuid}" is not a UUID`);
  return uuidBytes;
}
