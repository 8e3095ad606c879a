import { compile as compileTextMaker } from 'html-to-text';
import { err, ok, type Result } from '../../model/result.ts';
import type { StoredTemplate } from '../action.ts';
import { compileTemplate, type Template } from '../render/compile-template.ts';
import type { TemplateError } from '../render/template-error.ts';

/** The parts of a mail as templates: HTML, text or both, and a subject unless another place has it. */
export type MailTemplates = {
  readonly subject: Template | null;
  readonly html: Template | null;
  readonly text: Template | null;
};

/** The texts of a mail. */
export type MailContent = { readonly subject: string | null; readonly html: string | null; readonly text: string };

/** A template error and the part of the mail it arose in. */
export type MailPartError = { readonly part: string; readonly error: TemplateError };

const makeText = compileTextMaker({
  wordwrap: 100,
  limits: { maxDepth: 60, maxChildNodes: 5_000, maxInputLength: 512 * 1024 },
  selectors: [
    { selector: 'img', format: 'skip' },
    { selector: 'a', options: { hideLinkHrefIfSameAsText: true } },
  ],
});

const mostElements = 10_000;

/** Renders the parts; a mail without a text part of its own gets one made from its HTML. */
export function renderMail(
  templates: MailTemplates,
  data: Record<string, unknown>,
): Result<MailContent, MailPartError> {
  const rendered: Record<'subject' | 'html' | 'text', string | null> = { subject: null, html: null, text: null };
  for (const part of ['subject', 'html', 'text'] as const) {
    const result = templates[part]?.render(data) ?? ok(null);
    if (!result.ok) return err({ part, error: result.error });
    rendered[part] = result.value;
  }
  return ok({ ...rendered, text: rendered.text ?? makeText(firstElements(rendered.html ?? '')) });
}

/** The beginning of an HTML text up to so many elements: the time to parse grows with the square of how deep they nest. */
function firstElements(html: string): string {
  let elements = 0;
  for (const { index } of html.matchAll(/<[a-z]/gi)) {
    elements += 1;
    if (elements > mostElements) return html.slice(0, index);
  }
  return html;
}

const compiledTemplates = 500;

/**
 * Compiles stored templates and keeps the most recently used. A template may use the variables its action gives it and the
 * usual names; one that uses another name is refused, so that no mail goes out with a hole.
 */
export function createStoredTemplateCompiler(): (options: {
  tenantId: string;
  stored: StoredTemplate;
  /** Top-level names the template may use. */
  roots: readonly string[];
}) => Result<MailTemplates, MailPartError> {
  const kept = new Map<string, { stored: StoredTemplate; result: Result<MailTemplates, MailPartError> }>();
  return ({ tenantId, stored, roots }) => {
    const key = [tenantId, stored.name, ...roots].join('\0');
    const entry = kept.get(key);
    const result = entry && isSame(entry.stored, stored) ? entry.result : compileStored(stored, roots);
    kept.delete(key);
    kept.set(key, { stored, result });
    if (kept.size > compiledTemplates) kept.delete(kept.keys().next().value ?? '');
    return result;
  };
}

function isSame(a: StoredTemplate, b: StoredTemplate): boolean {
  return a.subject === b.subject && a.html === b.html && a.text === b.text;
}

function compileStored(stored: StoredTemplate, roots: readonly string[]): Result<MailTemplates, MailPartError> {
  const compiled: Record<'subject' | 'html' | 'text', Template | null> = { subject: null, html: null, text: null };
  for (const [part, sink] of [
    ['subject', 'line'],
    ['html', 'html'],
    ['text', 'text'],
  ] as const) {
    const source = stored[part];
    if (source === null) continue;
    const result = compileTemplate(source, { sink, roots });
    if (!result.ok) return err({ part, error: result.error });
    compiled[part] = result.value;
  }
  return ok(compiled);
}
