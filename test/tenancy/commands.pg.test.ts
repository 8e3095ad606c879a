import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { runCommand } from '../support/run-command.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { type Attack, makeWorlds, probe, type Worlds } from './probe.ts';
import { fillVictim, type Heard } from './victim.ts';

/** Command lines of a tenant that name what is another's, or why the command is not for tenants. */
type Case = Lines | { readonly operator: string };
type Lines = (heard: Heard) => readonly (readonly string[])[];

const plain = (name: string) =>
  JSON.stringify({
    name,
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [{ type: 'notification', title: 'order', message: 'order' }],
    recipients: [{ type: 'user', id: 'ann' }],
  });

const borrowing = (heard: Heard) =>
  JSON.stringify({
    ...JSON.parse(plain(heard.workflowName)),
    conditions: [{ type: 'query_match', query: heard.savedQuery }],
    actions: [{ type: 'email', template: heard.template }],
  });

const eachWorkflow: Lines = (heard) =>
  [heard.workflowId, heard.draftId, heard.inactiveId, heard.workflowName].map((workflow) => [workflow]);

const nothingNamed: Lines = () => [[]];

/** Every command, by its words. */
const cases: Readonly<Record<string, Case>> = {
  demo: { operator: 'runs on a server of its own' },
  migrate: { operator: 'changes the schema' },
  'capture install': { operator: 'puts triggers on tables of the host' },
  'capture verify': { operator: 'looks at triggers of the host’s tables' },
  'capture remove': { operator: 'takes triggers off tables of the host' },
  'capture list': { operator: 'lists tables of the host' },
  worker: { operator: 'works for all tenants' },
  prune: { operator: 'removes what is old, of all tenants' },
  doctor: { operator: 'counts over all tenants' },
  bench: { operator: 'works in databases of its own' },
  'secret rotate': { operator: 'encrypts the secrets of all tenants anew' },
  'sender domains': { operator: 'says what a tenant may send from' },
  'quotas set': { operator: 'gives a tenant its quotas' },
  'workflow list': () => [[], ['--status', 'active']],
  'workflow show': eachWorkflow,
  'workflow validate': (heard) => [[borrowing(heard)]],
  'workflow create': (heard) => [[plain(heard.workflowName)], [borrowing(heard)], [plain('a name of its own')]],
  'workflow update': (heard) => [
    [heard.workflowId, '{"name":"taken over"}'],
    [heard.workflowName, '{"name":"taken over"}'],
  ],
  'workflow publish': eachWorkflow,
  'workflow activate': eachWorkflow,
  'workflow deactivate': eachWorkflow,
  'workflow archive': eachWorkflow,
  'workflow delete': eachWorkflow,
  trigger: (heard) => [
    ['--entity', 'order', '--operation', 'insert', '--key', heard.eventKey, '--actor', heard.userId],
    ['--entity', 'order', '--operation', 'insert', '--entity-id', heard.entityId],
  ],
  logs: (heard) => [
    [],
    [heard.runningExecutionId],
    [heard.deadExecutionId],
    ['--workflow', heard.workflowId],
    ['--workflow', heard.workflowName],
    ['--cursor', heard.deadExecutionId],
  ],
  cancel: (heard) => [[heard.runningExecutionId], [heard.doneExecutionId]],
  'dead-letters list': (heard) => [[], ['--workflow', heard.workflowId], ['--cursor', heard.failedEventId]],
  'dead-letters show': (heard) => [[heard.deadDeliveryId], [heard.failedExecutionId], [heard.failedEventId]],
  'dead-letters redrive': (heard) => [
    [heard.deadDeliveryId, heard.failedExecutionId, heard.failedEventId],
    ['--all'],
    ['--all', '--workflow', heard.workflowId],
  ],
  inbox: (heard) => [['--user', heard.userId]],
  'preferences list': (heard) => [[], ['--user', heard.userId]],
  'preferences mute': (heard) => [
    ['--user', heard.userId, '--channel', 'email'],
    ['--user', heard.userId, '--channel', 'email', '--workflow', heard.workflowName],
    ['--user', heard.userId, '--channel', 'email', '--workflow', heard.workflowId],
  ],
  'preferences unmute': (heard) => [
    ['--user', heard.userId, '--channel', 'email'],
    ['--user', heard.userId, '--channel', 'email', '--workflow', heard.workflowName],
  ],
  'suppressions list': nothingNamed,
  'suppressions add': (heard) => [[heard.address]],
  'suppressions remove': (heard) => [[heard.address]],
  'sender show': nothingNamed,
  'sender set': (heard) => [['--address', `post@${heard.senderDomain}`]],
  'template set': (heard) => [[JSON.stringify({ name: heard.template, text: 'taken over' })]],
  'template list': nothingNamed,
  'template delete': (heard) => [[heard.template]],
  'secret set': (heard) => [[heard.secret]],
  'secret list': nothingNamed,
  'secret delete': (heard) => [[heard.secret]],
  'endpoints list': (heard) => [[], ['--cursor', heard.origin.slice(0, -1)]],
  'endpoints resume': (heard) => [[heard.origin]],
  'quotas show': nothingNamed,
};

const options = { secretsKey: randomBytes(32).toString('base64') };
const inhabited = useTestTocsin(options);
const empty = useTestTocsin(options);
const owned = useTestTocsin(options);
let worlds: Worlds;
/** What a tenant knows of itself, in a database of its own. */
let ownHeard: Heard;
beforeAll(async () => {
  worlds = await makeWorlds(inhabited, empty);
  ownHeard = await fillVictim(owned);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** The words of every command that does something. */
function commandsOf(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(' ')];
  return command.commands.flatMap((sub) => commandsOf(sub, [...words, sub.name()]));
}

/** A command with `--tenant`, on a database. */
function lineOf(command: string, { url, tenantId, rest }: { url: string; tenantId: string; rest: readonly string[] }) {
  return ['--database', url, ...command.split(' '), '--tenant', tenantId, ...rest];
}

/** What commands that read standard input are given. */
const stdin = 'taken over';

/** Each line, as text and as data. */
function attackOf(command: string, lines: Lines): Attack {
  return async ({ t, tenantId, heard }) => {
    const told: unknown[] = [];
    for (const rest of lines(heard)) {
      const line = lineOf(command, { url: t.url, tenantId, rest });
      told.push(await runCommand(line, { stdin }), await runCommand([...line, '--json'], { stdin }));
    }
    return told;
  };
}

describe('the command line', () => {
  test('has a case for each command, and none for a command that is no more', () => {
    const commands = commandsOf(createProgram());
    const missing = commands.filter((name) => !Object.hasOwn(cases, name));
    const stale = Object.keys(cases).filter((name) => !commands.includes(name));
    expect(missing, 'commands without a case').toEqual([]);
    expect(stale, 'cases without a command').toEqual([]);
  });

  const attacks = Object.entries(cases).flatMap(([name, lines]) =>
    typeof lines === 'function' ? [[name, lines] as const] : [],
  );

  test.each(attacks)('%s does what the lines ask for when they are its own tenant’s', async (name, lines) => {
    vi.stubEnv('TOCSIN_SECRETS_KEY', options.secretsKey);
    const ended: unknown[] = [];
    for (const rest of lines(ownHeard)) {
      const { exitCode } = await runCommand(lineOf(name, { url: owned.url, tenantId: ownHeard.tenantId, rest }), {
        stdin,
      });
      ended.push(exitCode);
    }
    expect(ended).toContain(undefined);
  });

  test.each(attacks)('%s prints and changes nothing of another tenant', async (name, lines) => {
    vi.stubEnv('TOCSIN_SECRETS_KEY', options.secretsKey);
    expect(await probe(worlds, attackOf(name, lines))).toEqual([]);
  });
});
