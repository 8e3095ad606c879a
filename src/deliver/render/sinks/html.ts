import type { For, If, Output, Statement } from '../parse/tree.ts';
import { TemplateFault } from '../template-error.ts';
import { escapeHtml } from './escape-html.ts';
import { type HtmlPlace, HtmlScanner } from './html-scanner.ts';
import { safeLink } from './safe-link.ts';
import type { Escape, Sink } from './sink.ts';

const escapes: Readonly<Record<HtmlPlace, Escape>> = {
  text: escapeHtml,
  attribute: escapeHtml,
  url: (text) => escapeHtml(safeLink(text)),
};

/**
 * HTML for people: every value is escaped, and a template that would put one where escaping is not enough (a tag or
 * attribute name, an unquoted attribute, `on*`, `style`, `<script>`, a comment) is refused when it is saved.
 * A link that begins with a value must turn out http, https, mailto, tel or relative, else it becomes `#`.
 */
export const html: Sink = {
  name: 'html',
  literal: (text) => text,
  place: (body) => {
    const escapeOf = new Map<Output, Escape>();
    const scanner = follow(body, new HtmlScanner(), escapeOf);
    const whereabouts = scanner.whereabouts();
    if (whereabouts)
      throw new TemplateFault('unsafe_position', `the template ends ${whereabouts}: close it`, body.at(-1)?.at);
    return { escapeOf: (output) => escapeOf.get(output) ?? escapeHtml };
  },
};

type Escapes = Map<Output, Escape>;

/** Follows the statements from where the scanner stands; gives the scanner where they end. */
function follow(body: readonly Statement[], start: HtmlScanner, escapeOf: Escapes): HtmlScanner {
  let scanner = start;
  for (const statement of body) {
    switch (statement.kind) {
      case 'text': {
        const problem = scanner.feed(statement.text);
        if (problem) throw new TemplateFault('unsafe_position', problem, statement.at);
        break;
      }
      case 'output':
        placeOutput(statement, scanner, escapeOf);
        break;
      case 'if':
        scanner = followIf(statement, scanner, escapeOf);
        break;
      case 'for':
        scanner = followFor(statement, scanner, escapeOf);
        break;
      case 'assign':
        break;
    }
  }
  return scanner;
}

function placeOutput(output: Output, scanner: HtmlScanner, escapeOf: Escapes): void {
  const stands = scanner.value();
  if ('problem' in stands) throw new TemplateFault('unsafe_position', stands.problem, output.at);
  if (output.breaksLines && stands.place !== 'text') {
    throw new TemplateFault('unsafe_position', 'nl2br makes tags: use it in text, not in an attribute', output.at);
  }
  escapeOf.set(output, output.breaksLines ? escapeWithBreaks : escapes[stands.place]);
}

function escapeWithBreaks(text: string): string {
  return escapeHtml(text).replace(/\r\n|\n/g, '<br />\n');
}

function followIf(statement: If, scanner: HtmlScanner, escapeOf: Escapes): HtmlScanner {
  const joined = follow(statement.otherwise, scanner.clone(), escapeOf);
  for (const branch of statement.branches) {
    const end = follow(branch.body, scanner.clone(), escapeOf);
    if (!joined.join(end)) throw differs('{% if %}', joined, end, statement);
  }
  return joined;
}

function followFor(statement: For, scanner: HtmlScanner, escapeOf: Escapes): HtmlScanner {
  const end = follow(statement.body, scanner.clone(), escapeOf);
  if (!scanner.endsAs(end)) throw differs('{% for %}', scanner, end, statement);
  const otherwise = follow(statement.otherwise, scanner.clone(), escapeOf);
  if (!end.join(otherwise)) throw differs('{% for %}', end, otherwise, statement);
  return end;
}

function differs(tag: string, one: HtmlScanner, other: HtmlScanner, { at }: If | For): TemplateFault {
  const [here, there] = [one.whereabouts() ?? 'in text', other.whereabouts() ?? 'in text'];
  const places = here === there ? here : `${here}, another ${there}`;
  return new TemplateFault(
    'unsafe_position',
    `every way through ${tag} must end at the same place: one ends ${places}`,
    at,
  );
}
