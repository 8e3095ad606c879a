import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from './read-readme.ts';

const page = readFileSync(`${root}SECURITY.md`, 'utf8');

/** The rows of the tables below "Threats": threat, defence, tests. */
const rows = page
  .slice(page.indexOf('\n## Threats'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:threat|---) \|/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

const names = new Map<string, readonly string[]>();

/** What the tests of a file and their groups are called, up to what differs from run to run. */
function testNames(file: string): readonly string[] {
  const known = names.get(file);
  if (known) return known;
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(?:describe|test)\b/.test(node.expression.getText())) {
      const [name] = node.arguments;
      if (name && ts.isStringLiteralLike(name)) found.push(name.text);
      if (name && ts.isTemplateExpression(name)) found.push(name.head.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(root + file, 'utf8'), ts.ScriptTarget.Latest, true));
  names.set(file, found);
  return found;
}

describe('SECURITY.md', () => {
  test.each(rows)('%s', (_threat, defence, tests = '') => {
    expect(defence).toBeTruthy();
    const named = [...tests.matchAll(/`(test\/[\w./-]+)` "([^"]+)"/g)].map(([, file = '', name = '']) => ({
      file,
      name,
    }));
    expect(named.length).toBeGreaterThan(0);
    expect(named.map(({ file, name }) => `\`${file}\` "${name}"`).join('; ')).toBe(tests);
    for (const { file, name } of named) {
      expect(existsSync(root + file), file).toBe(true);
      expect(
        testNames(file).some((found) => found.startsWith(name)),
        `${file}: ${name}`,
      ).toBe(true);
    }
  });
});
