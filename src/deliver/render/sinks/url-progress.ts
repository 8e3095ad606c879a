/**
 * What is known about a URL while a template writes it. `open`: only template text so far, and it does not yet settle
 * what kind of URL this is; `value`: it begins with a value; `unclear`: its beginning differs between branches or cannot
 * be judged, so that no value may follow; `settled`: nothing that follows can change the scheme any more.
 */
export type UrlProgress = { readonly status: 'open' | 'value' | 'unclear' | 'settled'; readonly text: string };

/** Nothing written yet. */
export const urlStart: UrlProgress = { status: 'open', text: '' };

/** Begun with a value, which is checked when it is rendered. */
export const urlValue: UrlProgress = { status: 'value', text: '' };

const settled: UrlProgress = { status: 'settled', text: '' };
const unclear: UrlProgress = { status: 'unclear', text: '' };
const longestBeginning = 300;

/** Which template text settles a URL: for a link the scheme is enough, a target that we call needs its host as well. */
export type UrlRule = 'link' | 'target';

const settling: Readonly<Record<UrlRule, RegExp>> = {
  link: /^\s*(?:(?:https?|mailto|tel):|[/?#]|[A-Za-z0-9._~%-]+[/?#])/i,
  target: /^\s*(?:(?:https?:)?\/\/[^/?#\\]+[/?#]|(?:mailto|tel):|\/(?!\/)|[?#]|[A-Za-z0-9._~%-]+[/?#])/i,
};

/** The progress after more template text; undefined if the text must not follow the value at the start. */
export function afterText(progress: UrlProgress, text: string, rule: UrlRule): UrlProgress | undefined {
  switch (progress.status) {
    case 'settled':
    case 'unclear':
      return progress;
    case 'value': {
      const rest = text.trimStart();
      if (rest === '') return progress;
      return /^[/?#]/.test(rest) ? settled : undefined;
    }
    case 'open': {
      const written = progress.text + text;
      if (settling[rule].test(written)) return settled;
      return written.length > longestBeginning ? unclear : { status: 'open', text: written };
    }
  }
}

/** The progress after two branches: what holds for both. */
export function joinProgress(a: UrlProgress, b: UrlProgress): UrlProgress {
  if (a.status === b.status && a.text === b.text) return a;
  if (a.status === 'settled') return b;
  if (b.status === 'settled') return a;
  const isValueOrNothing = [a, b].every(({ status, text }) => status !== 'unclear' && text.trim() === '');
  return isValueOrNothing ? urlValue : unclear;
}
