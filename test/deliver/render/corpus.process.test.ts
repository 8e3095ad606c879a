import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { canary } from './corpus.ts';

const corpusModule = new URL('corpus.ts', import.meta.url).href;
const script = `
  import { judgeCorpus, run } from ${JSON.stringify(corpusModule)};
  run('{{ payload.name | upper }} {{ 1 | currency("EUR") }}', { payload: { name: 'warm-up' } }, 'html');
  const before = process.resourceUsage().maxRSS;
  const misses = judgeCorpus();
  const grownMib = (process.resourceUsage().maxRSS - before) / 1024;
  let canGenerateCode = true;
  try { new Function(''); } catch { canGenerateCode = false; }
  console.log(JSON.stringify({ misses, grownMib, canGenerateCode }));
`;

describe('judgeCorpus in a process of its own', () => {
  test('holds with code generation switched off, and the whole corpus takes less than 50 MB', () => {
    const flags = [
      '--disallow-code-generation-from-strings',
      '--max-old-space-size=48',
      '--max-semi-space-size=2',
      '--input-type=module',
      '--eval',
      script,
    ];
    const child = spawnSync(process.execPath, flags, {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, SECRET_CANARY: canary },
    });
    expect(child.stderr).toBe('');
    const report = JSON.parse(child.stdout) as { misses: string[]; grownMib: number; canGenerateCode: boolean };
    expect(report.misses).toEqual([]);
    expect(report.canGenerateCode).toBe(false);
    expect(report.grownMib).toBeLessThan(50);
  });
});
