import { describe, expect, test } from 'vitest';
import * as recipients from '../../examples/recipients.ts';
import { unwrap } from '../../src/model/result.ts';
import { useShop, workflowWith } from './shop.ts';

const shop = useShop();
const customer = { watchers: ['user456', 'user123'] };

describe('recipients', () => {
  test.each([
    ['one user', recipients.oneUser, ['user123']],
    ['two users', recipients.twoUsers, ['user123', 'user456']],
    ['a role', recipients.administrators, ['admin1']],
    ['a group', recipients.salesTeam, ['seller1', 'user123']],
    ['an attribute', recipients.salesDepartment, ['user123']],
    ['a field', recipients.owner, ['seller1']],
    ['several fields, one of them a list', recipients.ownerAndWatchers, ['seller1', 'user123', 'user456']],
    ['who did it', recipients.whoeverDidIt, ['manager1']],
    ['several at once, each user once', [...recipients.oneUser, ...recipients.salesTeam], ['seller1', 'user123']],
  ])('%s', async (_says, parts, expected) => {
    const id = await shop.publish('acme', workflowWith({ recipients: parts }));
    await shop.sql(
      `begin;
       set local tocsin.actor = 'manager1';
       insert into shop.orders (owner_id, customer) values ('seller1', '${JSON.stringify(customer)}');
       commit`,
    );
    await shop.settle();
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const [execution] = await shop.executionsOf(id);
    const detail = unwrap(await shop.tocsin.workflows.getExecution('acme', execution?.id ?? ''));
    expect(detail.deliveries.map(({ recipientId }) => recipientId).toSorted()).toEqual(expected);
    expect(detail.deliveries.every(({ status }) => status === 'delivered')).toBe(true);
  });
});
