import { Command } from 'commander';
import { sentenceOf } from '../../runtime/old-transactions.ts';
import { liveWorkers, readBacklog, readClockSkewMs } from '../../store/health.ts';
import { countLeftExecutions } from '../../store/left-executions.ts';
import { readSnapshotHolders } from '../../store/snapshot-holders.ts';
import { countThrottled } from '../../store/tenant-usage.ts';
import type { Tocsin } from '../../tocsin.ts';
import { explain, withTocsin } from '../context.ts';
import { green, print, red, yellow } from '../output.ts';

/** One thing looked at: what is wrong with it, if anything, and what to do. */
type Finding = { readonly check: string; readonly state: 'ok' | 'warning' | 'broken'; readonly says: string };

const tolerableSkewMs = 1_000;
const tolerableLagSeconds = 60;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'check connection, migrations, triggers, workers, lag, dead letters, endpoints, old transactions, secrets, clock and mail; exit code 1 if something is broken',
    )
    .action((_flags: unknown, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const findings = await examine(tocsin);
        print(options, { findings }, () => findings.map(findingText).join('\n'));
        if (findings.some(({ state }) => state === 'broken')) process.exitCode = 1;
      }),
    );
}

/** Looks at everything; what cannot be looked at because of something before it is left out. */
async function examine(tocsin: Tocsin): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { pool } = tocsin.database;
  try {
    const { rows } = await pool.query(
      "select current_setting('server_version') as version, pg_is_in_recovery() as standby",
    );
    const state = rows[0].standby ? 'broken' : 'ok';
    const says = rows[0].standby ? 'this server is a standby: connect to the primary' : `PostgreSQL ${rows[0].version}`;
    findings.push({ check: 'connection', state, says });
  } catch (error) {
    return [...findings, { check: 'connection', state: 'broken', says: explain(error).message }];
  }
  const pending = await tocsin.pendingMigrations();
  if (pending !== 0) {
    const says =
      pending > 0
        ? `${pending} migration(s) missing: tocsin migrate`
        : 'the database is newer than this version of tocsin';
    return [...findings, { check: 'migrations', state: pending > 0 ? 'broken' : 'warning', says }];
  }
  findings.push({ check: 'migrations', state: 'ok', says: 'up to date' });
  findings.push(
    ...(await examineCaptures(tocsin)),
    ...(await examineWork(tocsin)),
    await examineTransactions(tocsin),
    await examineSecrets(tocsin),
    await examineClock(tocsin),
    await examineMail(tocsin),
  );
  return findings;
}

async function examineCaptures(tocsin: Tocsin): Promise<Finding[]> {
  const verified = await tocsin.capture.verify({});
  if (!verified.ok) return [{ check: 'capture', state: 'broken', says: verified.error.message }];
  if (verified.value.length === 0) {
    return [
      { check: 'capture', state: 'warning', says: 'no table is captured: tocsin capture install public.orders ...' },
    ];
  }
  return verified.value.map(({ table, problems }) => ({
    check: `capture ${table}`,
    state: problems.length === 0 ? 'ok' : 'broken',
    says: problems.length === 0 ? 'triggers are as installed' : problems.map(({ message }) => message).join('; '),
  }));
}

async function examineWork(tocsin: Tocsin): Promise<Finding[]> {
  const { pool } = tocsin.database;
  const { eventsPerMinute: events, deliveriesPerMinute: deliveries } = tocsin.settings.quotas;
  const [backlog, workers, throttled, left] = await Promise.all([
    readBacklog(pool, tocsin.settings.quotas),
    liveWorkers(pool),
    countThrottled(pool, { defaults: { events, deliveries }, windowMs: 60_000 }),
    countLeftExecutions(pool),
  ]);
  const dead = backlog.deadDeliveries + backlog.failedEvents;
  const isThrottled = throttled.events + throttled.deliveries > 0;
  const isLate = backlog.oldestEventSeconds > tolerableLagSeconds;
  const handlers: Finding = {
    check: 'handlers',
    state: 'warning',
    says: `${left} execution(s) wait for a worker with other handlers: tocsin logs (reason unknown_handler), and the warnings of the workers`,
  };
  return [
    ...(left > 0 ? [handlers] : []),
    {
      check: 'workers',
      state: workers.length === 0 ? 'warning' : 'ok',
      says:
        workers.length === 0
          ? 'none was seen in the last minute: tocsin worker'
          : workers.map(({ host, pid, stages }) => `${host} ${pid} (${stages.join(', ')})`).join('; '),
    },
    {
      check: 'lag',
      state: isLate ? 'broken' : 'ok',
      says: `${backlog.events} events, ${backlog.executions} executions and ${backlog.deliveries} deliveries wait; the oldest event for ${Math.round(backlog.oldestEventSeconds)} s`,
    },
    {
      check: 'dead letters',
      state: dead > 0 ? 'warning' : 'ok',
      says: dead > 0 ? `${dead}: tocsin dead-letters list` : 'none',
    },
    {
      check: 'quotas',
      state: isThrottled ? 'warning' : 'ok',
      says: isThrottled
        ? `used up this minute: events by ${throttled.events} tenant(s), deliveries by ${throttled.deliveries}: tocsin quotas show`
        : 'no tenant has used one up',
    },
    {
      check: 'endpoints',
      state: backlog.openEndpoints > 0 ? 'warning' : 'ok',
      says: backlog.openEndpoints > 0 ? `${backlog.openEndpoints} paused: tocsin endpoints list` : 'none is paused',
    },
  ];
}

async function examineTransactions(tocsin: Tocsin): Promise<Finding> {
  const { oldTransactionMs } = tocsin.settings.worker;
  const old = (await readSnapshotHolders(tocsin.database.pool)).flatMap((holder) =>
    oldTransactionMs > 0 && (holder.ageMs ?? 0) >= oldTransactionMs ? sentenceOf(holder, holder.ageMs ?? 0) : [],
  );
  if (old.length === 0) return { check: 'vacuum', state: 'ok', says: 'no old transaction keeps dead rows' };
  return { check: 'vacuum', state: 'warning', says: `dead rows are kept by ${old.join('; ')}` };
}

async function examineSecrets(tocsin: Tocsin): Promise<Finding> {
  const use = await tocsin.secrets.secretKeyUse();
  const of = (wanted: string) => use.filter(({ state }) => state === wanted);
  const count = (keys: typeof use) => keys.reduce((sum, { secrets }) => sum + secrets, 0);
  const missing = of('missing');
  if (missing.length > 0) {
    const ids = missing.map(({ keyId }) => keyId).join(', ');
    const says = `${count(missing)} cannot be opened: put key ${ids} into secretsKey or previousSecretsKeys`;
    return { check: 'secrets', state: 'broken', says };
  }
  const previous = count(of('previous'));
  if (previous === 0) return { check: 'secrets', state: 'ok', says: `${count(use)}, all under the current key` };
  return { check: 'secrets', state: 'warning', says: `${previous} under an earlier key: tocsin secret rotate` };
}

async function examineClock(tocsin: Tocsin): Promise<Finding> {
  const skewMs = Math.round(await readClockSkewMs(tocsin.database.pool, () => Date.now()));
  const isOff = Math.abs(skewMs) > tolerableSkewMs;
  const says = `the database's clock is ${skewMs} ms ahead of this machine's`;
  return { check: 'clock', state: isOff ? 'warning' : 'ok', says };
}

async function examineMail(tocsin: Tocsin): Promise<Finding> {
  if (!tocsin.settings.smtp)
    return { check: 'mail', state: 'warning', says: 'no mail server is configured: TOCSIN_SMTP_URL' };
  const refusal = await tocsin.verifySmtp();
  return refusal === null
    ? { check: 'mail', state: 'ok', says: 'the mail server answers' }
    : { check: 'mail', state: 'broken', says: `the mail server does not take mail: ${refusal}` };
}

function findingText({ check, state, says }: Finding): string {
  const marks = { ok: green('ok      '), warning: yellow('warning '), broken: red('broken  ') };
  return `${marks[state]} ${check}: ${says}`;
}
