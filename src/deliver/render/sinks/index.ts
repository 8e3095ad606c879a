import { html } from './html.ts';
import { json, line, text } from './plain.ts';
import type { Sink, SinkName } from './sink.ts';
import { url } from './url.ts';

/** Every sink by its name. */
export const sinks: Readonly<Record<SinkName, Sink>> = { html, text, line, url, json };
