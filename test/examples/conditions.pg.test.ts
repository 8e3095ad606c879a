import { beforeAll, describe, expect, test } from 'vitest';
import * as conditions from '../../examples/conditions.ts';
import { savePremiumCustomers } from '../../examples/cookbook.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { OrderInserted, useShop, workflowWith } from './shop.ts';

const shop = useShop();

type Condition = NonNullable<WorkflowInput['conditions']>[number];

/** What a workflow with this condition alone came to: one word per event that `act` makes. */
async function outcomes(condition: Condition | undefined, operation: string, act: () => Promise<unknown>) {
  if (!condition) throw new Error('the example has fewer conditions than this test');
  const workflow = workflowWith({
    triggers: [{ entityType: 'order', operation }],
    conditions: [condition],
    settings: { logSkipped: true },
  });
  const id = await shop.publish('acme', workflow);
  await act();
  await shop.settle();
  const executions = await shop.executionsOf(id);
  unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
  return executions.map(({ status }) => status).toReversed();
}

describe('field_value', () => {
  test.each([
    ['status eq', 0, { status: 'approved' }, { status: 'new' }],
    ['amount gt', 1, { amount: 1000.01 }, { amount: 1000 }],
    [
      'amount lte another field',
      2,
      { amount: 10, customer: { credit_limit: 10 } },
      { amount: 11, customer: { credit_limit: 10 } },
    ],
    ['a path into json in a list', 3, { customer: { country: 'DE' } }, { customer: { country: 'FR' } }],
    ['contains in any case', 4, { note: 'URGENT: today' }, { note: 'whenever' }],
  ])('%s', async (_says, index, hit, miss) => {
    const act = async () => {
      await shop.write('orders', hit);
      await shop.write('orders', miss);
    };
    expect(await outcomes(conditions.fieldValue[index], 'insert', act)).toEqual(['success', 'skipped']);
  });

  test('event.actor is null unless the writer said who it is', async () => {
    const act = async () => {
      await shop.sql(`begin; set local tocsin.actor = 'user123'; insert into shop.orders default values; commit`);
      await shop.write('orders', { amount: 1 });
    };
    expect(await outcomes(conditions.fieldValue[5], 'insert', act)).toEqual(['success', 'skipped']);
  });

  test('a field that is not there cannot be decided, and null is a value', async () => {
    const act = async () => {
      await shop.write('orders', { customer: { name: 'Ann' } });
      await shop.write('orders', { customer: { country: null } });
    };
    expect(await outcomes(conditions.fieldValue[3], 'insert', act)).toEqual(['failed', 'skipped']);
  });

  test.each([
    [
      'changed from and to',
      0,
      [{ status: 'new' }, { status: 'approved' }],
      [{ status: 'paid' }, { status: 'approved' }],
    ],
    ['increased', 1, [{ amount: 1 }, { amount: 2 }], [{ amount: 2 }, { amount: 1 }]],
    ['the value before', 2, [{ amount: 999 }, { amount: 5 }], [{ amount: 1000 }, { amount: 5 }]],
  ])('%s', async (_says, index, hit, miss) => {
    const act = async () => {
      await shop.write('orders', hit[0] ?? {}, hit[1]);
      await shop.write('orders', miss[0] ?? {}, miss[1]);
    };
    expect(await outcomes(conditions.change[index], 'update', act)).toEqual(['success', 'skipped']);
  });
});

describe('time_based', () => {
  async function at(condition: Condition | undefined, ...moments: string[]) {
    return outcomes(condition, 'insert', async () => {
      for (const moment of moments) {
        unwrap(await shop.tocsin.events.dispatch(new OrderInserted({ occurredAt: new Date(moment) })));
        await shop.settle();
      }
    });
  }

  test('counts from the first minute of the window to the last before its end, on the days given', async () => {
    const monday = ['2026-03-02T08:59:59Z', '2026-03-02T09:00:00Z', '2026-03-02T16:59:59Z', '2026-03-02T17:00:00Z'];
    const sunday = '2026-03-01T12:00:00Z';
    expect(await at(conditions.officeHours[0], ...monday, sunday)).toEqual([
      'skipped',
      'success',
      'success',
      'skipped',
      'skipped',
    ]);
  });

  test('a window over midnight belongs to the day it began, by the clock of its zone', async () => {
    const saturdayNight = '2026-03-01T03:00:00Z';
    const sundayNight = '2026-03-01T22:00:00Z';
    const fridayBefore = '2026-02-27T03:00:00Z';
    expect(await at(conditions.weekendNights[0], saturdayNight, sundayNight, fridayBefore)).toEqual([
      'success',
      'skipped',
      'skipped',
    ]);
  });

  test('the night in which clocks go forward ends at six on them all the same', async () => {
    expect(await at(conditions.weekendNights[0], '2026-03-29T03:59:00Z', '2026-03-29T04:01:00Z')).toEqual([
      'success',
      'skipped',
    ]);
  });
});

describe('role_based', () => {
  test('asks the directory for the roles of the user that a field names', async () => {
    const act = async () => {
      await shop.write('orders', { created_by: 'admin1' });
      await shop.write('orders', { created_by: 'manager1' });
    };
    expect(await outcomes(conditions.madeByAdmin[0], 'insert', act)).toEqual(['success', 'skipped']);
  });

  test('several roles can be asked for, any or all', async () => {
    const act = async () => {
      for (const actor of ['admin1', 'manager1']) {
        await shop.sql(`begin; set local tocsin.actor = '${actor}'; insert into shop.orders default values; commit`);
        await shop.settle();
      }
    };
    expect(await outcomes(conditions.changedByBoth[0], 'insert', act)).toEqual(['success', 'skipped']);
  });
});

describe('query_match', () => {
  beforeAll(() => savePremiumCustomers(shop.tocsin, 'acme'));

  test('asks a saved query of the tenant, with parameters from the event', async () => {
    const act = async () => {
      await shop.write('customers', { id: 'c1', region: 'North America', purchases: 12 });
      await shop.write('orders', { customer_id: 'c1' });
      await shop.write('orders', { customer_id: 'c2' });
    };
    expect(await outcomes(conditions.premiumInNorthAmerica[0], 'insert', act)).toEqual(['success', 'skipped']);
  });
});

describe('composite', () => {
  test('joins conditions', async () => {
    const act = async () => {
      await shop.write('orders', { status: 'refunded', amount: 1 });
      await shop.write('orders', { status: 'paid', amount: 5000 });
      await shop.write('orders', { status: 'new', amount: 5000 });
    };
    expect(await outcomes(conditions.refundOrLargeAndNotNew[0], 'insert', act)).toEqual([
      'success',
      'success',
      'skipped',
    ]);
  });
});
