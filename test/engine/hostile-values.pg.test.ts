import { beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { WebhookReceiver } from '../../src/testing.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, inboxOf, newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();

/** A table of the types whose values are hard to carry, captured as `odd`. */
beforeAll(async () => {
  await t.sql(
    `create table odd (id bigint primary key, tenant_id text, amount numeric, ratio float8, doc json, day date, at timestamptz)`,
  );
  unwrap(await t.tocsin.capture.install({ table: 'odd', entityType: 'odd', tenantColumn: 'tenant_id' }));
});

function oddWorkflow(condition: object, message: string) {
  return orderWorkflow({
    triggers: [{ entityType: 'odd', operation: 'insert' }],
    conditions: [{ type: 'field_value', ...condition }],
    actions: [{ type: 'notification', title: 'odd', message }],
    recipients: [{ type: 'user', id: 'ann' }],
  });
}

/** Nests JSON arrays; the innermost is empty or holds what is given. */
function nested(levels: number, inside = ''): string {
  return '['.repeat(levels) + inside + ']'.repeat(levels);
}

describe('a captured value', () => {
  test.each<[string, string, string, string, object, string, string]>([
    [
      'an integer above 2^53',
      'id',
      '9007199254740993',
      '{{ payload.id }}',
      { operator: 'gt', value: 9007199254740992n },
      '9007199254740993',
      '9007199254740992',
    ],
    [
      'the lowest bigint',
      'id',
      '-9223372036854775808',
      '{{ payload.id - 1 }}',
      { operator: 'lt', value: '-9223372036854775807' },
      '-9223372036854775809',
      '-9223372036854775807',
    ],
    [
      'a numeric of 40 digits',
      'amount',
      '1234567890123456789012345678.901234567890',
      '{{ payload.amount }}',
      { operator: 'gt', value: '1234567890123456789012345678.90123456788' },
      '1234567890123456789012345678.90123456789',
      '1234567890123456789012345678.90123456788',
    ],
    [
      'a numeric beyond doubles',
      'amount',
      '1e400',
      '{{ payload.amount | string | length }}',
      { operator: 'gt', value: '1e308' },
      '401',
      '1e308',
    ],
    [
      'a sum that doubles get wrong',
      'amount',
      '0.3',
      '{{ payload.amount }}',
      { operator: 'eq', value: '0.3' },
      '0.3',
      '0.30000000000000004',
    ],
    [
      'infinite timestamps',
      'at',
      "'infinity'",
      '{{ payload.at }}',
      { operator: 'gt', value: '2026-01-01' },
      'infinity',
      "'-infinity'",
    ],
    [
      'a day in the year 10000',
      'day',
      "'10000-01-01'",
      '{{ payload.day }}',
      { operator: 'gt', value: '9999-12-31' },
      '10000-01-01',
      "'9999-12-31'",
    ],
    [
      'a day before Christ',
      'day',
      "'0044-03-15 BC'",
      '{{ payload.day }}',
      { operator: 'lt', value: '0001-01-01' },
      '0044-03-15 BC',
      "'0001-01-01'",
    ],
    [
      'an infinite float',
      'ratio',
      "'Infinity'",
      '{{ payload.ratio }}',
      { operator: 'gt', value: 1.7e308 },
      'Infinity',
      '1.7e308',
    ],
  ])('%s is decided and told exactly', async (_what, column, value, message, condition, told, other) => {
    const tenant = await newTenant(t);
    await t.publish(tenant, oddWorkflow({ field: column, ...condition }, message));
    const columns = column === 'id' ? 'tenant_id, id' : `tenant_id, id, ${column}`;
    const row = (written: string) =>
      `($1, ${column === 'id' ? written : `nextval('tocsin.event_position'), ${written}`})`;
    await t.sql(`insert into odd (${columns}) values ${row(value)}, ${row(other)}`, [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toEqual([`odd: ${told}`]);
  });

  test.each([
    ['NaN in a numeric', 'amount', "'NaN'"],
    ['NaN in a float', 'ratio', "'NaN'"],
  ])('%s has no order: the workflow does not run and the log says why', async (_what, column, value) => {
    const tenant = await newTenant(t);
    await t.publish(tenant, oddWorkflow({ field: column, operator: 'gt', value: 0 }, 'x'));
    await t.sql(`insert into odd (id, tenant_id, ${column}) values (nextval('tocsin.event_position'), $1, ${value})`, [
      tenant,
    ]);
    await t.settle();
    expect(await executionsOf(t, tenant)).toMatchObject([{ status: 'failed', reason: 'condition_error' }]);
    expect(await inboxOf(t, tenant, 'ann')).toEqual([]);
  });

  test('that no text or stack can hold ends in a reason, and its neighbours are told', async () => {
    const receiver = await WebhookReceiver.start();
    const tenant = await newTenant(t);
    const workflow = oddWorkflow({ field: 'doc', operator: 'neq', value: 'x' }, '{{ payload.doc }}');
    await t.publish(tenant, {
      ...workflow,
      actions: [...workflow.actions, { type: 'webhook', url: `${receiver.url}/odd` }],
    });
    const deepAndLong = nested(20_000, '12345678901234567.89');
    for (const document of ['"\\u0000"', '"\\ud800"', nested(20_000), deepAndLong, '7']) {
      await t.sql("insert into odd (id, tenant_id, doc) values (nextval('tocsin.event_position'), $1, $2)", [
        tenant,
        document,
      ]);
    }
    const state = async () =>
      (await t.sql('select failure from tocsin.event_history where tenant_id = $1', [tenant])).rows;
    while ((await state()).length < 5) {
      await t.settle();
      await t.sql('update tocsin.events set not_before = null where tenant_id = $1', [tenant]);
    }
    expect((await state()).filter(({ failure }) => failure !== null)).toEqual([
      { failure: expect.stringContaining('event_unreadable') },
    ]);
    const executions = await executionsOf(t, tenant);
    const fates = executions.map(({ deliveries }) => deliveries.map(({ status, reason }) => `${status} ${reason}`));
    expect(fates).toEqual([
      ['delivered null', 'delivered null'],
      ['delivered null', 'delivered null'],
      ['dead template_error', 'dead template_error'],
      ['delivered null', 'delivered null'],
    ]);
    await receiver.close();
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});

describe('a template that runs away', () => {
  test.each([
    ['in loops', '{% for a in payload.doc %}{% for b in payload.doc %}{% endfor %}{% endfor %}'],
    ['in a text that doubles', `{% set x = payload.doc | string %}${'{% set x = x ~ x %}'.repeat(30)}`],
    ['in what it writes', '{{ payload.doc }}'.repeat(100)],
  ])('%s is stopped: its delivery fails with a reason, other renders go on', async (_what, runaway) => {
    const tenant = await newTenant(t);
    await t.publish(tenant, {
      ...oddWorkflow({ field: 'doc', operator: 'is_not_null' }, ''),
      actions: [runaway, 'told {{ payload.id }}'].map((message) => ({ type: 'notification', title: 'odd', message })),
    });
    const row = `($1, nextval('tocsin.event_position'), to_json(array(select generate_series(1, 1000))))`;
    const { rows } = await t.sql(`insert into odd (tenant_id, id, doc) values ${row}, ${row} returning id`, [tenant]);
    await t.settle();
    const executions = await executionsOf(t, tenant);
    const fates = executions.map(({ deliveries }) => deliveries.map(({ status, reason }) => `${status} ${reason}`));
    expect(fates.map((fate) => fate.toSorted())).toEqual(rows.map(() => ['dead template_error', 'delivered null']));
    expect((await inboxOf(t, tenant, 'ann')).toSorted()).toEqual(rows.map(({ id }) => `odd: told ${id}`).toSorted());
  });
});
