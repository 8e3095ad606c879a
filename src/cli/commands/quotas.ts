import { Command, InvalidArgumentError } from 'commander';
import type { QuotaInput, QuotaName } from '../../model/quota.ts';
import type { TenantQuotas } from '../../service/quota-service.ts';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { dim, printResult, table, yellow } from '../output.ts';

type SetFlags = TenantFlags & {
  readonly eventsPerMinute?: number | null;
  readonly deliveriesPerMinute?: number | null;
  readonly workflows?: number | null;
  readonly recipients?: number | null;
  readonly payloadBytes?: number | null;
};

const labels: Readonly<Record<QuotaName, string>> = {
  eventsPerMinute: 'events per minute',
  deliveriesPerMinute: 'deliveries per minute',
  maxWorkflows: 'workflows',
  maxRecipients: 'recipients of an action',
  maxPayloadBytes: 'bytes of an event',
};

export function quotasCommand(): Command {
  const command = new Command('quotas').description('what a tenant may use, and what waits because it is used up');
  command
    .command('show')
    .description('quotas, how much of them is used, and what waits')
    .requiredOption(...tenantFlag)
    .action((flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.quotas.getQuotas(flags.tenant), quotasText);
      }),
    );
  command
    .command('set')
    .description(
      "for operators: changes what is given; `none` takes the tenant's own away, so that the deployment's holds",
    )
    .requiredOption(...tenantFlag)
    .option('--events-per-minute <n>', 'events that are matched; the others wait', quota)
    .option('--deliveries-per-minute <n>', 'deliveries that go out; the others wait', quota)
    .option('--workflows <n>', 'workflows that are neither archived nor deleted', quota)
    .option('--recipients <n>', 'recipients that one action of one execution may tell', quota)
    .option('--payload-bytes <n>', 'bytes of an event as JSON text', quota)
    .action((flags: SetFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const set = await tocsin.quotas.setQuotas(flags.tenant, given(flags));
        printResult(options, set.ok ? await tocsin.quotas.getQuotas(flags.tenant) : set, quotasText);
      }),
    );
  return command;
}

function quota(value: string): number | null {
  if (value === 'none') return null;
  if (!/^\d{1,10}$/.test(value)) throw new InvalidArgumentError('a whole number or "none" is needed.');
  return Number(value);
}

function given(flags: SetFlags): QuotaInput {
  const { eventsPerMinute, deliveriesPerMinute, workflows, recipients, payloadBytes } = flags;
  return {
    eventsPerMinute,
    deliveriesPerMinute,
    maxWorkflows: workflows,
    maxRecipients: recipients,
    maxPayloadBytes: payloadBytes,
  };
}

function quotasText({ quotas, throttled, minuteEndsAt, waiting }: TenantQuotas): string {
  const rows = Object.entries(quotas).map(([name, { limit, isOwn, used }]) => [
    labels[name as QuotaName],
    limit === null ? 'unlimited' : String(limit),
    limit === null ? '' : isOwn ? 'its own' : "the deployment's",
    used === null ? '' : String(used),
  ]);
  const states = throttled.map((name) =>
    yellow(`${labels[name]}: used up, the others wait until ${minuteEndsAt.toISOString()}`),
  );
  const waits = dim(`${waiting.events} events and ${waiting.deliveries} deliveries wait`);
  return [table(['quota', 'limit', 'whose', 'used'], rows, ''), ...states, waits].join('\n');
}
