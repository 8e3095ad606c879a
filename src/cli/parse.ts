import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import { WorkflowError } from '../errors.ts';
import { namePattern } from '../model/event.ts';
import { type Json, parseJson } from '../model/json.ts';

/** A whole number from 1. */
export function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 is needed.');
  return Number(value);
}

/** What entity types and operations are called. */
export function eventWord(value: string): string {
  if (!namePattern.test(value))
    throw new InvalidArgumentError('a letter and then letters, digits, "_", "-", "." is needed.');
  return value;
}

/** A number above 0. */
export function positiveNumber(value: string): number {
  if (!(Number(value) > 0 && Number.isFinite(Number(value))))
    throw new InvalidArgumentError('a number above 0 is needed.');
  return Number(value);
}

/** A TCP port; 0 for a free one. */
export function port(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new InvalidArgumentError('a port from 0 to 65535 is needed.');
  return Number(value);
}

/** Comma separated words. */
export function words(value: string): readonly string[] {
  const parts = value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError('at least one word is needed.');
  return parts;
}

/** A moment: ISO 8601 with a time zone, or a time ago such as `2h` or `7d`. */
export function moment(value: string, now: Date): Date {
  const ago = /^(\d{1,6})(s|m|h|d)$/.exec(value);
  if (ago) {
    const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as 's' | 'm' | 'h' | 'd'];
    return new Date(now.getTime() - Number(ago[1]) * unitMs);
  }
  const parsed = new Date(value);
  if (Number.isNaN(parsed.getTime()) || !/(Z|[+-]\d{2}:?\d{2})$/.test(value)) {
    throw new WorkflowError('invalid', `"${value}" is no moment: write 2026-01-31T08:00:00Z, or 2h, 7d for a time ago`);
  }
  return parsed;
}

/** A moment to come: ISO 8601 with a time zone, or a time from now such as `2h` or `7d`. */
export function momentAhead(value: string, now: Date): Date {
  const then = moment(value, now);
  return /^\d/.test(value) && /[smhd]$/.test(value) ? new Date(2 * now.getTime() - then.getTime()) : then;
}

/** JSON written on the line, or in a file (`@order.json`), or on standard input (`-`). */
export async function jsonArgument(value: string, what: string): Promise<Json> {
  if (value === '-') return jsonOf(await standardInput(what), `${what} on standard input`);
  if (value.startsWith('@')) return jsonOf(await readText(value.slice(1)), `${what} in ${value.slice(1)}`);
  const meant = /^[\w./-]+\.json$/.test(value) ? ` (the file of this name is @${value})` : '';
  return jsonOf(value, `${what}${meant}`);
}

/** All of standard input. Says at a terminal that it waits for it. */
export async function standardInput(what: string): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write(`type ${what}, then Enter and Ctrl-D\n`);
  return text(process.stdin);
}

function jsonOf(source: string, what: string): Json {
  try {
    return parseJson(source);
  } catch (cause) {
    throw new WorkflowError('invalid', `${what} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new WorkflowError('not_found', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
