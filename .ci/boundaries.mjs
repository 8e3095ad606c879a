// Checks who imports whom (.dependency-cruiser.mjs), and that the checker saw every file: it says nothing and exits 0 when it
// cannot read TypeScript at all.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const files = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts')).length;
const output = execFileSync('depcruise', ['src', '--config', '.dependency-cruiser.mjs', '--output-type', 'json'], {
  maxBuffer: 256 * 1024 * 1024,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
const { summary, modules } = JSON.parse(output);
const seen = modules.filter((module) => module.source.startsWith('src/')).length;
for (const { rule, from, to } of summary.violations) {
  const comment = summary.ruleSetUsed.forbidden.find((candidate) => candidate.name === rule.name)?.comment ?? '';
  console.error(`${from} -> ${to}\n  ${rule.name}: ${comment}`);
}
if (seen < files) console.error(`only ${seen} of ${files} files in src were read`);
if (summary.violations.length > 0 || seen < files) process.exit(1);
console.log(`boundaries: ${files} files keep to the table`);
