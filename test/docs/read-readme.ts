import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's directory, with a slash at the end. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

export const readme = readFileSync(`${root}README.md`, 'utf8');

/** A fenced block, and the HTML comment above it that says where it comes from, e.g. `example: quick-start.ts#quick-start`. */
export type Block = {
  readonly language: string;
  readonly source: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
};

/** The fenced blocks of a page, in order. */
export function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let start = 0; start < lines.length; start++) {
    const language = /^```(\w+)$/.exec(lines[start] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', start + 1);
    const source = /^<!-- (.+) -->$/.exec(lines[start - 1] ?? '')?.[1] ?? '';
    blocks.push({ language, source, text: lines.slice(start + 1, end).join('\n'), line: start + 1 });
    start = end;
  }
  return blocks;
}

/** The rows of the table below `<!-- table: name -->`, without its heading; cells without their backticks. */
export function readTable(name: string): string[][] {
  return linesBelow(`<!-- table: ${name} -->`)
    .slice(2)
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|')),
    );
}

/** The words in backticks below a mark, up to the next blank line or comment. */
export function readWords(mark: string): string[] {
  return linesBelow(`<!-- ${mark} -->`).flatMap((line) =>
    [...line.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? ''),
  );
}

/**
 * What stands in a file between `// #region name` and `// #endregion`, as a user of the package writes it: the examples
 * themselves import the source.
 */
export function readRegion(file: string, region: string): string {
  const lines = readFileSync(`${root}examples/${file}`, 'utf8').split('\n');
  const start = lines.indexOf(`// #region ${region}`);
  if (start < 0) throw new Error(`examples/${file} has no region "${region}"`);
  return asUsersWrite(lines.slice(start + 1, lines.indexOf('// #endregion', start)).join('\n'));
}

/** The text of an example with the imports of those who installed the package. */
export function asUsersWrite(example: string): string {
  return example.replace("'../src/index.ts'", "'tocsin'");
}

function linesBelow(mark: string): string[] {
  const lines = readme.split('\n');
  const start = lines.indexOf(mark);
  if (start < 0) throw new Error(`README.md has no ${mark}`);
  const below = lines.slice(start + 1);
  return below.slice(
    0,
    below.findIndex((line) => line === '' || line.startsWith('<!--')),
  );
}
