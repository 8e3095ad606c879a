import type { Escape, Sink, SinkName } from './sink.ts';

const control = /[\p{Cc}\u2028\u2029]+/gu;

function asOneLine(text: string): string {
  return text.replace(control, ' ');
}

function unchanged(text: string): string {
  return text;
}

function plain(name: SinkName, change: Escape): Sink {
  return { name, literal: change, place: () => ({ escapeOf: () => change }) };
}

/** Plain text: the text part of a mail, a message in the inbox. Nothing is escaped; whoever shows it as HTML must. */
export const text: Sink = plain('text', unchanged);

/** One line: subjects, display names, header values. Control characters and line breaks become a blank. */
export const line: Sink = plain('line', asOneLine);

/** A leaf of a JSON value: the value is serialized as a whole later, so nothing is escaped here. */
export const json: Sink = plain('json', unchanged);
