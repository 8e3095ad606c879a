/** What JSON can say. Integers beyond 2^53 are bigints, so that ids and amounts stay exact. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

const longDigits = /\d{16}/;

/**
 * JSON.parse that keeps integers exact: those a double cannot hold become bigints.
 * The reviver is slow, so it runs only when the text has a run of 16 digits at all.
 */
export function parseJson(text: string): Json {
  if (!longDigits.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(text, exactInteger) as Json;
}

function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** JSON.stringify that writes bigints as the digits they are. */
export function stringifyJson(value: unknown): string {
  const rawJson = (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON;
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? (rawJson ? rawJson(part.toString()) : part.toString()) : part,
  );
}

/** An own property of a JSON object; undefined for everything else, prototypes included. */
export function ownProperty(value: unknown, key: string): Json | undefined {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, Json>)[key]
    : undefined;
}
