/** Where a scanner stands in what begins with `<!` or `<?`: a comment, or what browsers treat like one. */
export type CommentMode = 'markup' | 'bogus' | 'comment-start' | 'comment-start-dash' | 'comment';

/** The place after one more character, with the characters that may belong to the end of the comment. */
export type CommentPlace = { readonly mode: CommentMode | 'text'; readonly tail: string };

/**
 * Follows comments as browsers end them (WHATWG HTML 13.2.5.41 to 52): `-->`, `--!>`, at once with `<!-->` and `<!--->`,
 * and with the first `>` for everything else that begins with `<!` or `<?`.
 */
export function afterComment({ mode, tail }: CommentPlace, character: string): CommentPlace {
  switch (mode) {
    case 'bogus':
      return { mode: character === '>' ? 'text' : 'bogus', tail: '' };
    case 'markup':
      if (character === '>') return { mode: 'text', tail: '' };
      if (character !== '-') return { mode: 'bogus', tail: '' };
      return tail === '-' ? { mode: 'comment-start', tail: '' } : { mode, tail: '-' };
    case 'comment-start':
      if (character === '>') return { mode: 'text', tail: '' };
      return { mode: character === '-' ? 'comment-start-dash' : 'comment', tail: character };
    case 'comment-start-dash':
      if (character === '>') return { mode: 'text', tail: '' };
      return { mode: 'comment', tail: `-${character}` };
    case 'comment': {
      const seen = tail + character;
      return /--!?>$/.test(seen) ? { mode: 'text', tail: '' } : { mode, tail: seen.slice(-3) };
    }
    case 'text':
      return { mode, tail };
  }
}
