/** The two inner modules of nunjucks 3.2.4 that we use; the published types cover only its renderer. */
declare module 'nunjucks/src/lexer.js' {
  const lexer: { lex(source: string): { readonly lineno: number; readonly colno: number } };
  export = lexer;
}

declare module 'nunjucks/src/parser.js' {
  import type { lex } from 'nunjucks/src/lexer.js';

  class Parser {
    constructor(tokens: ReturnType<typeof lex>);
    parseAsRoot(): unknown;
  }
  const parser: { readonly Parser: typeof Parser };
  export = parser;
}
