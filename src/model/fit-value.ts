import { isNumericText } from './compare-values.ts';
import { exactNumber, isExactNumber } from './decimal.ts';
import type { FieldType } from './entity-type.ts';
import { instantOf } from './instant.ts';
import type { Json } from './json.ts';
import { err, ok, type Result } from './result.ts';
import { isStorableText } from './storable-text.ts';

const timePattern = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(\.\d{1,6})?)?$/;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A value as fields of the type hold it, or what is needed instead (`a number`): numbers may be written as text, UUIDs in
 * capitals, times without seconds. Types that say nothing about their values take any.
 */
export function fitValue(type: FieldType, value: Json): Result<Json, string> {
  switch (type) {
    case 'number':
      return fitNumber(value);
    case 'boolean':
      return typeof value === 'boolean' ? ok(value) : err('true or false');
    case 'date':
    case 'timestamp':
      return isFiniteInstant(value) ? ok(value) : err('an ISO date or timestamp such as "2026-11-21T09:00:00Z"');
    case 'time':
      return fitTime(value);
    case 'uuid':
      return typeof value === 'string' && uuidPattern.test(value) ? ok(value.toLowerCase()) : err('a UUID');
    case 'text':
      return typeof value === 'string' && isStorableText(value) ? ok(value) : err('a text');
    case 'json':
    case 'array':
    case 'other':
      return ok(value);
  }
}

function fitNumber(value: Json): Result<Json, string> {
  const number = typeof value === 'string' && isNumericText(value) ? exactNumber(value) : value;
  const fits = typeof number === 'number' ? Number.isFinite(number) : isExactNumber(number);
  return fits ? ok(number) : err('a number');
}

function fitTime(value: Json): Result<Json, string> {
  const parts = typeof value === 'string' ? timePattern.exec(value) : null;
  if (!parts) return err('a time of day such as "09:30"');
  const [, hour, minute, second = '00', fraction = ''] = parts;
  return ok(`${hour}:${minute}:${second}${fraction.replace(/\.?0+$/, '')}`);
}

function isFiniteInstant(value: Json): boolean {
  // Years with a sign are JavaScript's; PostgreSQL does not read them.
  const instant = typeof value === 'string' && !/^[+-]/.test(value) ? instantOf(value) : undefined;
  return instant !== undefined && Number.isFinite(Number(instant));
}
