import type { Comparison } from './benchmark.ts';
import type { Machine } from './machine.ts';
import type { BenchmarkResult } from './run-benchmark.ts';
import type { Spread } from './statistics.ts';

/** Everything a run has to say; what `--json` prints. */
export type Report = {
  readonly date: string;
  readonly machine: Machine;
  readonly postgres: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly scale: number;
  readonly results: readonly BenchmarkResult[];
};

/** The report as Markdown, the way `bench/RESULTS.md` keeps it. */
export function printReport(report: Report): string {
  const { machine, postgres } = report;
  return [
    `${report.date}, ${report.rounds} rounds${report.scale === 1 ? '' : ` at scale ${report.scale}`}, median (min-max) of the rounds; ratios are formed within a round.`,
    '',
    `- machine: ${machine.cores} cores ${machine.cpu}, ${machine.memoryGib} GiB, ${machine.system}, load at the start ${machine.load.toFixed(1)}`,
    `- Node ${machine.node}; PostgreSQL ${list(postgres)}`,
    ...(machine.tellsServerCpu ? [] : ['- CPU of PostgreSQL: not told, it is read from /proc']),
    ...report.results.flatMap(printResult),
  ].join('\n');
}

function printResult(result: BenchmarkResult): string[] {
  const figures = [...new Set(Object.values(result.figures).flatMap((ofVariant) => Object.keys(ofVariant)))];
  return [
    '',
    `## ${result.name}`,
    result.about,
    ...(Object.keys(result.settings).length > 0
      ? ['', `Settings: ${list(result.settings)}. Took ${result.seconds} s.`]
      : []),
    ...(result.failure === null ? [] : ['', `**FAILED**: ${result.failure}`]),
    '',
    ...table(
      ['variant', ...figures],
      Object.entries(result.figures).map(([variant, ofVariant]) => [
        variant,
        ...figures.map((figure) => (ofVariant[figure] ? range(ofVariant[figure]) : '')),
      ]),
    ),
    '',
    ...table(
      ['claim', 'figure', 'ratio', 'target', ''],
      result.ratios.map(({ claim, figure, ratio, target, isReached }) => [
        claim,
        figure,
        range(ratio),
        target ? printTarget(target) : '',
        isReached === null ? '' : isReached ? 'reached' : '**missed**',
      ]),
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function range({ median, min, max }: Spread): string {
  return min === max ? short(median) : `${short(median)} (${short(min)}-${short(max)})`;
}

/** Three digits that count, more before the point. */
function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  return String(Number(value.toPrecision(3)));
}

function printTarget(target: NonNullable<Comparison['target']>): string {
  return 'atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`;
}

function list(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
