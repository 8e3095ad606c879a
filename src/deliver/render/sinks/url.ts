import type { Output, Statement } from '../parse/tree.ts';
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
    follow(body, urlStart);
    const first = body[0];
    const namesHost = first?.kind === 'text' && /^\s*\/\//.test(first.text);
    return { escapeOf: () => encode, finish: (text) => checkPath(text, namesHost) };
  },
};

function checkPath(text: string, namesHost: boolean): void {
  const [beforeQuery = ''] = text.split(/[?#]/, 1);
  const path = beforeQuery.replace(/^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?\/\/[^/]*/, '');
  const hasNewHost = !namesHost && /^\s*\/\//.test(text);
  if (hasNewHost || /(?:^|[/\\])\.{1,2}(?=[/\\]|$)/.test(path)) {
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

function checkSettled(progress: UrlProgress, output: Output): void {
  if (progress.status === 'settled') return;
  const hint = 'write the scheme and the host in the template, as in https://example.com/{{ ... }}';
  throw new TemplateFault('unsafe_position', `a value must not decide where a URL leads: ${hint}`, output.at);
}
