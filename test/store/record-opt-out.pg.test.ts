import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { recordOptOut } from '../../src/store/record-opt-out.ts';
import { useLogin } from '../support/logins.ts';
import { useTestDatabase } from '../support/test-database.ts';

const t = useTestDatabase();

describe('recordOptOut', () => {
  test.each([['tocsin_service'], ['tocsin_worker']])('needs no more than the rights of %s', async (role) => {
    const database = openDatabase({ databaseUrl: await useLogin(t.url, { roles: [role] }) });
    onTestFinished(() => database.close());
    const of = { tenantId: 'acme', userId: role, channel: 'email', workflowId: null };
    await recordOptOut(database, of);
    await recordOptOut(database, of);
    const { rows } = await t.database.pool.query(
      'select tenant_id, muted, source from tocsin.preferences where user_id = $1',
      [role],
    );
    expect(rows).toEqual([{ tenant_id: 'acme', muted: true, source: 'unsubscribe_link' }]);
  });
});
