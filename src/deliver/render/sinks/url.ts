import type { Output, Statement, Text } from '../parse/tree.ts';
import { TemplateFault } from '../template-error.ts';
import type { Sink } from './sink.ts';
import { afterText, joinProgress, type UrlProgress, urlStart } from './url-progress.ts';

/**
 * A URL that the template's author writes: scheme and host stand in the template, values are percent-encoded. A value
 * can therefore add no path segment, no parameter and no fragment; that it is no `.` or `..` is checked at the end.
 */
export const url: Sink = {
  name: 'url',
  literal: (text) => text,
  place: (body) => {
    // Without values there is nothing to place: whoever uses the URL looks at it as a whole.
    if (body.some(({ kind }) => kind !== 'text')) follow(body, urlStart);
    const first = body[0];
    const namesHost = first?.kind === 'text' && /^\s*\/\//.test(first.text);
    return { escapeOf: () => encode, finish: (text) => checkPath(text, namesHost) };
  },
};

/** `.` or `..`, also percent-encoded: URL parsers read `%2e` as a dot (WHATWG URL, "single-dot path segment"). */
const dotSegment = /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/i;

/** What URL parsers drop or read as a slash: two readers would see two hosts. */
const ambiguous = /[\p{Cc}\\]/u;

function checkPath(text: string, namesHost: boolean): void {
  const [beforeQuery = ''] = text.split(/[?#]/, 1);
  const path = beforeQuery.replace(/^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?\/\/[^/]*/, '');
  const hasNewHost = !namesHost && /^\s*\/\//.test(text);
  if (hasNewHost || dotSegment.test(path)) {
    throw new TemplateFault(
      'unsafe_url',
      'a value changes the path of the URL: it is empty, "." or ".."; check the value',
    );
  }
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function follow(body: readonly Statement[], start: UrlProgress): UrlProgress {
  let progress = start;
  for (const statement of body) {
    switch (statement.kind) {
      case 'text':
        checkText(statement);
        progress = afterText(progress, statement.text, 'target') ?? progress;
        break;
      case 'output':
        checkSettled(progress, statement);
        break;
      case 'if': {
        const ends = statement.branches.map((branch) => follow(branch.body, progress));
        progress = ends.reduce(joinProgress, follow(statement.otherwise, progress));
        break;
      }
      case 'for': {
        const end = joinProgress(progress, follow(statement.body, progress));
        progress = joinProgress(end, follow(statement.otherwise, progress));
        break;
      }
      case 'assign':
        break;
    }
  }
  return progress;
}

function checkText({ text, at }: Text): void {
  if (!ambiguous.test(text)) return;
  throw new TemplateFault('unsafe_position', 'a URL has no backslashes, tabs or line breaks: take them out', at);
}

function checkSettled(progress: UrlProgress, output: Output): void {
  if (progress.status === 'settled') return;
  const hint = 'write the scheme and the host in the template, as in https://example.com/{{ ... }}';
  throw new TemplateFault('unsafe_position', `a value must not decide where a URL leads: ${hint}`, output.at);
}
