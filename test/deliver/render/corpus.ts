import { readFileSync } from 'node:fs';
import { messageRoots } from '../../../src/deliver/actions/action-templates.ts';
import { compileTemplate } from '../../../src/deliver/render/compile-template.ts';
import type { SinkName } from '../../../src/deliver/render/sinks/sink.ts';

/** One entry of the corpus of hostile templates (and of controls: kind `benign`, which must render to `expect`). */
export type Entry = {
  readonly id: string;
  readonly kind: string;
  readonly template?: string;
  readonly parts?: readonly (readonly [string, number])[];
  readonly context?: string;
  readonly expect?: string;
};

type CorpusFile = {
  readonly contexts: { readonly default: Record<string, unknown> };
  readonly payloads: readonly Entry[];
};

const file = JSON.parse(readFileSync(new URL('hostile-templates.json', import.meta.url), 'utf8')) as CorpusFile;

/** Every entry of the corpus. */
export const corpus: readonly Entry[] = file.payloads;

/** What must never be seen in a rendered text. */
export const canary = 'CANARY-7f3a91';

/** The source of an entry. */
export function sourceOf(entry: Entry): string {
  return entry.template ?? (entry.parts ?? []).map(([text, count]) => text.repeat(count)).join('');
}

/** The context of the corpus with every hostile field, as the corpus file describes them; with a secret in reach. */
export function hostileContext(): Record<string, unknown> {
  const { payload } = structuredClone(file.contexts.default) as { payload: Record<string, unknown> };
  let deep: unknown = 1;
  for (let level = 0; level < 5000; level++) deep = [deep];
  const poison =
    '{"toString":1,"valueOf":2,"__keywords":true,"constructor":{"name":"x"},"__proto__":{"polluted":"yes"},"length":1e9}';
  return {
    payload: {
      ...payload,
      spaces: `x${' '.repeat(100_000)}x`,
      tags: '<!--'.repeat(50_000),
      as: 'a'.repeat(20_000),
      lt: '&'.repeat(1000),
      evil: { length: 1_000_000_000 },
      poison: JSON.parse(poison),
      deep,
      url: 'javascript:alert(1)',
      attr: 'x onmouseover=alert(1)',
      crlf: 'hi\r\nBcc: evil@example.com',
    },
    secret: { api_key: canary },
  };
}

/** What a template did: it was refused or ended with a named error, or gave a text; and the processor time it took. */
export type Outcome = { readonly error?: string; readonly text?: string; readonly ms: number };

/** Compiles and renders one template. */
export function run(source: string, context: Record<string, unknown>, sink: SinkName): Outcome {
  const start = process.cpuUsage();
  const template = compileTemplate(source, { sink, roots: messageRoots });
  const rendered = template.ok ? template.value.render(context) : template;
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1000;
  return rendered.ok ? { text: rendered.value, ms } : { error: rendered.error.code, ms };
}

/** What the payloads of the corpus put out when their code runs. */
const ranCode = /RCE-OK-(?:noprocess|undefined|CANARY)/;

/** A tag with an event handler or a link that runs code. */
const activeTag = /<[a-z][^<>]*\s(?:on\w+\s*=|(?:href|src|action|formaction|background)\s*=\s*["']?\s*javascript:)/i;

/** What is harmful about an outcome, if anything: code that ran, a leak, a polluted prototype, a value that became markup. */
export function harmOf(outcome: Outcome, source: string, sink: SinkName): string | undefined {
  if ('__pwned' in globalThis || 'polluted' in {}) return 'code ran or a prototype was polluted';
  const { text } = outcome;
  if (text === undefined) return undefined;
  const added = (what: string) => text.includes(what) && !source.includes(what);
  const ran = ranCode.test(text) && !ranCode.test(source);
  if (ran || added(canary) || added('[native code]')) return `leaks: ${text.slice(0, 200)}`;
  if (sink === 'html' && added('Ann <b')) return `markup: ${text.slice(0, 200)}`;
  if (sink === 'html' && activeTag.test(text) && !activeTag.test(source)) return `active: ${text.slice(0, 200)}`;
  if (sink === 'line' && /[\r\n]/.test(text)) return `lines: ${text.slice(0, 200)}`;
  return undefined;
}

const sinks: readonly SinkName[] = ['html', 'text', 'line', 'json'];

/** Judges every entry in every sink against the bar of the corpus; gives the entries that miss it. */
export function judgeCorpus(): readonly string[] {
  const context = hostileContext();
  return corpus.flatMap((entry) => sinks.flatMap((sink) => judge(entry, sink, context) ?? []));
}

function judge(entry: Entry, sink: SinkName, context: Record<string, unknown>): string | undefined {
  const source = sourceOf(entry);
  const outcome = run(source, context, sink);
  const after = run('{{ payload.name }}', context, 'html').text;
  if (after !== 'Ann &lt;b&gt;') return `${entry.id}: changed the next render to ${after}`;
  if (entry.kind === 'benign') {
    const isRight = sink !== 'html' || outcome.text === entry.expect;
    return isRight ? undefined : `${entry.id}: rendered ${JSON.stringify(outcome)}, not ${entry.expect}`;
  }
  const harm = harmOf(outcome, source, sink) ?? (outcome.ms < 200 ? undefined : `took ${outcome.ms} ms`);
  return harm && `${entry.id} (${sink}): ${harm}`;
}
