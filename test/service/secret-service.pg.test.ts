import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { SecretService } from '../../src/service/secret-service.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const secretsKey = randomBytes(32).toString('base64');

function service(options: { secretsKey?: string; previousSecretsKeys?: string[] } = { secretsKey }): SecretService {
  return new SecretService({ database: db.database, ...options });
}

describe('SecretService', () => {
  test('stores a secret that only an attempt can read', async () => {
    const secrets = service();
    const summary = unwrap(await secrets.setSecret('acme', 'api_key', 'token-1'));
    expect(summary).toEqual({ name: 'api_key', updatedAt: expect.any(Date) });
    expect(await secrets.openSecret('acme', 'api_key')).toBe('token-1');
    expect(JSON.stringify(unwrap(await secrets.listSecrets('acme')))).not.toContain('token-1');
    const rows = await db.database.pool.query("select s::text as row from tocsin.secrets s where tenant_id = 'acme'");
    expect(rows.rows[0].row).not.toContain('token-1');
    expect(rows.rows[0].row).not.toContain(Buffer.from('token-1').toString('hex'));
  });

  test('replaces the secret of the same name', async () => {
    const secrets = service();
    await secrets.setSecret('replace', 'a', 'first');
    await secrets.setSecret('replace', 'a', 'second');
    expect(await secrets.openSecret('replace', 'a')).toBe('second');
    expect(unwrap(await secrets.listSecrets('replace'))).toHaveLength(1);
  });

  test('keeps tenants apart, also when a row is copied', async () => {
    const secrets = service();
    await secrets.setSecret('one', 'key', 'secret of one');
    expect(await secrets.openSecret('two', 'key')).toBeNull();
    expect(unwrap(await secrets.listSecrets('two'))).toEqual([]);
    expect(await secrets.deleteSecret('two', 'key')).toMatchObject({ ok: false, error: { code: 'not_found' } });
    await db.database.pool.query(
      `insert into tocsin.secrets (tenant_id, name, key_id, nonce, ciphertext)
       select other.tenant_id, other.name, key_id, nonce, ciphertext
       from tocsin.secrets, (values ('two', 'key'), ('one', 'key2')) as other (tenant_id, name)
       where secrets.tenant_id = 'one' and secrets.name = 'key'`,
    );
    expect(await secrets.openSecret('two', 'key')).toBeNull();
    expect(await secrets.openSecret('one', 'key2')).toBeNull();
    expect(await secrets.openSecret('one', 'key')).toBe('secret of one');
  });

  test('lists names by name and deletes', async () => {
    const secrets = service();
    for (const name of ['stripe', 'crm']) await secrets.setSecret('list', name, 'value');
    expect(unwrap(await secrets.listSecrets('list')).map(({ name }) => name)).toEqual(['crm', 'stripe']);
    expect(await secrets.deleteSecret('list', 'crm')).toEqual({ ok: true, value: null });
    expect(await secrets.openSecret('list', 'crm')).toBeNull();
    const refused = await secrets.deleteSecret('list', 'stripee');
    expect(refused).toMatchObject({ error: { message: 'there is no secret "stripee": did you mean "stripe"?' } });
  });

  test('writes in the transaction of the caller', async () => {
    const secrets = service();
    const work = db.database.transaction(async (tx, client) => {
      await secrets.setSecret('tx', 'by_orm', 'value', { tx });
      await secrets.setSecret('tx', 'by_client', 'value', { tx: client });
      throw new Error('back');
    });
    await expect(work).rejects.toThrow('back');
    expect(unwrap(await secrets.listSecrets('tx'))).toEqual([]);
  });

  test('opens with an earlier key after the key was changed', async () => {
    await service().setSecret('rotate', 'old', 'sealed before');
    const next = randomBytes(32).toString('hex');
    const rotated = service({ secretsKey: next, previousSecretsKeys: [secretsKey] });
    await rotated.setSecret('rotate', 'new', 'sealed after');
    expect(await rotated.openSecret('rotate', 'old')).toBe('sealed before');
    expect(await service({ secretsKey: next }).openSecret('rotate', 'old')).toBeNull();
    expect(await service().openSecret('rotate', 'new')).toBeNull();
  });

  test('says which option is missing when there is no key', async () => {
    await service().setSecret('keyless', 'key', 'value');
    const keyless = service({});
    expect(await keyless.setSecret('keyless', 'key', 'value')).toMatchObject({
      ok: false,
      error: { code: 'not_allowed', message: expect.stringContaining('`secretsKey` (TOCSIN_SECRETS_KEY)') },
    });
    expect(await keyless.openSecret('keyless', 'key')).toBeNull();
    expect(unwrap(await keyless.listSecrets('keyless'))).toHaveLength(1);
    expect(() => service({ secretsKey: 'short' })).toThrow(/^secretsKey/);
  });

  test.each(['', 'a-b', 'a b', '1a', 'a\0', 'x'.repeat(65), 'constructor', '__proto__'])(
    'refuses the name %j',
    async (name) => {
      const refused = await service().setSecret('names', name, 'value');
      expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', issues: [{ path: 'name' }] } });
      expect(await service().openSecret('names', name)).toBeNull();
      expect(await service().deleteSecret('names', name)).toMatchObject({ ok: false, error: { code: 'not_found' } });
    },
  );

  test.each(['', 'abc', 'x'.repeat(8_193)])(
    'refuses a value that is too short or too long, without showing it',
    async (value) => {
      const refused = await service().setSecret('values', 'name', value);
      expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', issues: [{ path: 'value' }] } });
      if (value !== '') expect(JSON.stringify(refused)).not.toContain(value);
    },
  );
});
