import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { err, ok, unwrap } from '../../src/model/result.ts';
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
    expect(summary).toEqual({
      name: 'api_key',
      hosts: null,
      keyId: expect.stringMatching(/^[0-9a-f]{8}$/),
      updatedAt: expect.any(Date),
    });
    expect(await secrets.openSecret('acme', 'api_key')).toEqual(ok('token-1'));
    expect(JSON.stringify(unwrap(await secrets.listSecrets('acme')))).not.toContain('token-1');
    const rows = await db.database.pool.query("select s::text as row from tocsin.secrets s where tenant_id = 'acme'");
    expect(rows.rows[0].row).not.toContain('token-1');
    expect(rows.rows[0].row).not.toContain(Buffer.from('token-1').toString('hex'));
  });

  test('replaces the secret of the same name', async () => {
    const secrets = service();
    await secrets.setSecret('replace', 'a', 'first');
    await secrets.setSecret('replace', 'a', 'second');
    expect(await secrets.openSecret('replace', 'a')).toEqual(ok('second'));
    expect(unwrap(await secrets.listSecrets('replace'))).toHaveLength(1);
  });

  test('keeps tenants apart, also when a row is copied', async () => {
    const secrets = service();
    await secrets.setSecret('one', 'key', 'secret of one');
    expect(await secrets.openSecret('two', 'key')).toEqual(err('secret_missing'));
    expect(unwrap(await secrets.listSecrets('two'))).toEqual([]);
    expect(await secrets.deleteSecret('two', 'key')).toMatchObject({ ok: false, error: { code: 'not_found' } });
    await db.database.pool.query(
      `insert into tocsin.secrets (tenant_id, name, key_id, nonce, ciphertext)
       select other.tenant_id, other.name, key_id, nonce, ciphertext
       from tocsin.secrets, (values ('two', 'key'), ('one', 'key2')) as other (tenant_id, name)
       where secrets.tenant_id = 'one' and secrets.name = 'key'`,
    );
    expect(await secrets.openSecret('two', 'key')).toEqual(err('secret_missing'));
    expect(await secrets.openSecret('one', 'key2')).toEqual(err('secret_missing'));
    expect(await secrets.openSecret('one', 'key')).toEqual(ok('secret of one'));
  });

  test('lists names by name and deletes', async () => {
    const secrets = service();
    for (const name of ['stripe', 'crm']) await secrets.setSecret('list', name, 'value');
    expect(unwrap(await secrets.listSecrets('list')).map(({ name }) => name)).toEqual(['crm', 'stripe']);
    expect(await secrets.deleteSecret('list', 'crm')).toEqual({ ok: true, value: null });
    expect(await secrets.openSecret('list', 'crm')).toEqual(err('secret_missing'));
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
    expect(await rotated.openSecret('rotate', 'old')).toEqual(ok('sealed before'));
    expect(await service({ secretsKey: next }).openSecret('rotate', 'old')).toEqual(err('secret_missing'));
    expect(await service().openSecret('rotate', 'new')).toEqual(err('secret_missing'));
  });

  test('says which option is missing when there is no key', async () => {
    await service().setSecret('keyless', 'key', 'value');
    const keyless = service({});
    expect(await keyless.setSecret('keyless', 'key', 'value')).toMatchObject({
      ok: false,
      error: { code: 'not_allowed', message: expect.stringContaining('`secretsKey` (TOCSIN_SECRETS_KEY)') },
    });
    expect(await keyless.openSecret('keyless', 'key')).toEqual(err('secret_missing'));
    expect(unwrap(await keyless.listSecrets('keyless'))).toHaveLength(1);
    expect(() => service({ secretsKey: 'short' })).toThrow(/: secretsKey: is not a key/);
  });

  test.each(['', 'a-b', 'a b', '1a', 'a\0', 'x'.repeat(65), 'constructor', '__proto__'])(
    'refuses the name %j',
    async (name) => {
      const refused = await service().setSecret('names', name, 'value');
      expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', issues: [{ path: 'name' }] } });
      expect(await service().openSecret('names', name)).toEqual(err('secret_missing'));
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

describe('a secret that is bound to hosts', () => {
  const url = 'https://api.example.com/hook?a=1';

  test('opens for a URL of one of them only, however it is written', async () => {
    const secrets = service();
    const hosts = ['API.example.com', '[::1]', 'bücher.example'];
    const stored = unwrap(await secrets.setSecret('hosts', 'key', 'token-1', { hosts }));
    expect(stored.hosts).toEqual(['api.example.com', '::1', 'xn--bcher-kva.example']);
    for (const there of [url, 'http://api.example.com.:8080/', 'https://[::1]/', 'https://bücher.example/']) {
      expect(await secrets.openSecret('hosts', 'key', there), there).toEqual(ok('token-1'));
    }
    for (const elsewhere of [
      undefined,
      '',
      'nonsense',
      'https://example.com/',
      'https://evil.api.example.com/',
      'https://api.example.com.evil.net/',
      'https://api.example.com@evil.net/',
      'https://evil.net/api.example.com',
    ]) {
      expect(await secrets.openSecret('hosts', 'key', elsewhere), elsewhere).toEqual(err('secret_not_allowed_here'));
    }
  });

  test('stays bound when its value is set anew, until it is bound otherwise', async () => {
    const secrets = service();
    await secrets.setSecret('rebind', 'key', 'first', { hosts: ['api.example.com'] });
    expect(unwrap(await secrets.setSecret('rebind', 'key', 'second')).hosts).toEqual(['api.example.com']);
    expect(await secrets.openSecret('rebind', 'key', url)).toEqual(ok('second'));
    expect(await secrets.openSecret('rebind', 'key', 'https://evil.example/')).toEqual(err('secret_not_allowed_here'));
    unwrap(await secrets.setSecret('rebind', 'key', 'third', { hosts: null }));
    expect(await secrets.openSecret('rebind', 'key')).toEqual(ok('third'));
  });

  test('does not open when its hosts are changed in the table', async () => {
    const secrets = service();
    await secrets.setSecret('moved', 'key', 'token-1', { hosts: ['api.example.com'] });
    for (const hosts of ['{evil.example}', '{api.example.com,evil.example}', null]) {
      await db.database.pool.query("update tocsin.secrets set hosts = $1 where tenant_id = 'moved'", [hosts]);
      expect(await secrets.openSecret('moved', 'key', 'https://evil.example/'), String(hosts)).toEqual(
        err('secret_missing'),
      );
    }
  });

  test.each([['https://example.com'], ['example.com:80'], ['a/b'], ['']])('is not stored for %j', async (host) => {
    expect(await service().setSecret('hosts', 'bad', 'value', { hosts: [host] })).toMatchObject({
      error: { code: 'invalid', issues: [{ path: 'hosts[0]' }] },
    });
  });
});

describe('the rotation of secrets', () => {
  const next = randomBytes(32).toString('base64');
  const rotated = () => service({ secretsKey: next, previousSecretsKeys: [secretsKey] });
  const nextAlone = () => service({ secretsKey: next });

  beforeEach(() => db.database.pool.query('delete from tocsin.secrets'));

  async function givenSecrets(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const hosts = n % 2 === 0 ? null : ['api.example.com'];
      unwrap(await service().setSecret(`tenant ${n % 7}`, `key_${n}`, `value ${n}`, { hosts }));
    }
  }

  test('puts every secret of every tenant under the current key, with its hosts, and is done then', async () => {
    await givenSecrets(230);
    expect(unwrap(await rotated().rotateSecrets({ dryRun: true }))).toEqual({ rotated: 230, unopened: [] });
    expect((await rotated().secretKeyUse()).map(({ state, secrets }) => ({ state, secrets }))).toEqual([
      { state: 'previous', secrets: 230 },
    ]);
    expect(unwrap(await rotated().rotateSecrets())).toEqual({ rotated: 230, unopened: [] });
    expect((await nextAlone().secretKeyUse()).map(({ state, secrets }) => ({ state, secrets }))).toEqual([
      { state: 'current', secrets: 230 },
    ]);
    const url = 'https://api.example.com/';
    for (const n of [0, 1, 100, 229]) {
      expect(await nextAlone().openSecret(`tenant ${n % 7}`, `key_${n}`, url)).toEqual(ok(`value ${n}`));
    }
    expect(await nextAlone().openSecret('tenant 1', 'key_1')).toEqual(err('secret_not_allowed_here'));
    expect(unwrap(await rotated().rotateSecrets())).toEqual({ rotated: 0, unopened: [] });
  });

  test('goes on while secrets are opened and set: none is lost, none is set back', async () => {
    await givenSecrets(60);
    const rotating = rotated();
    const using = Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const tenant = `tenant ${n % 7}`;
        if (n % 3 === 0) unwrap(await rotated().setSecret(tenant, `key_${n}`, `new value ${n}`, { hosts: null }));
        return rotated().openSecret(tenant, `key_${n}`, 'https://api.example.com/');
      }),
    );
    const [, opened] = await Promise.all([rotating.rotateSecrets(), using]);
    expect(opened.filter((answer) => !answer.ok)).toEqual([]);
    unwrap(await rotating.rotateSecrets());
    for (let n = 0; n < 60; n++) {
      const expected = n % 3 === 0 ? `new value ${n}` : `value ${n}`;
      expect(await nextAlone().openSecret(`tenant ${n % 7}`, `key_${n}`, 'https://api.example.com/')).toEqual(
        ok(expected),
      );
    }
  });

  test('names what does not open and leaves it as it is, and does the rest', async () => {
    await givenSecrets(3);
    const strange = randomBytes(32).toString('base64');
    unwrap(await service({ secretsKey: strange }).setSecret('tenant 0', 'strange', 'value'));
    const { rotated: count, unopened } = unwrap(await rotated().rotateSecrets());
    expect(count).toBe(3);
    expect(unopened).toEqual([
      { tenantId: 'tenant 0', name: 'strange', keyId: expect.stringMatching(/^[0-9a-f]{8}$/) },
    ]);
    expect(await service({ secretsKey: strange }).openSecret('tenant 0', 'strange')).toEqual(ok('value'));
    expect((await rotated().secretKeyUse()).map(({ state }) => state).toSorted()).toEqual(['current', 'missing']);
  });

  test('needs a key', async () => {
    expect(await service({}).rotateSecrets()).toMatchObject({
      error: { code: 'not_allowed', message: expect.stringContaining('TOCSIN_SECRETS_KEY') },
    });
  });
});
