import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { type TemplateInput, TemplateService } from '../../src/service/template-service.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

function service(): TemplateService {
  return new TemplateService({ database: db.database });
}

async function definitionsVersion(): Promise<number> {
  const result = await db.database.pool.query('select version from tocsin.definitions_version');
  return Number(result.rows[0].version);
}

const welcome: TemplateInput = { name: 'welcome', subject: 'Hi {{ name }}', html: '<p>Hi {{ name }}</p>' };

describe('TemplateService', () => {
  test('stores a template and answers it', async () => {
    const templates = service();
    const stored = unwrap(await templates.setTemplate('acme', welcome));
    expect(stored).toEqual({ ...welcome, text: null, updatedAt: expect.any(Date) });
    expect(unwrap(await templates.getTemplate('acme', 'welcome'))).toEqual(stored);
    expect(await templates.storedTemplate('acme', 'welcome')).toEqual(stored);
    expect(unwrap(await templates.listTemplates('acme'))).toEqual([stored]);
  });

  test('replaces the template of the same name, whole', async () => {
    const templates = service();
    await templates.setTemplate('replace', welcome);
    const stored = unwrap(await templates.setTemplate('replace', { name: 'welcome', text: 'Hi' }));
    expect(stored).toMatchObject({ subject: null, html: null, text: 'Hi' });
    expect(unwrap(await templates.listTemplates('replace'))).toHaveLength(1);
  });

  test('keeps tenants apart', async () => {
    const templates = service();
    await templates.setTemplate('one', welcome);
    expect(await templates.storedTemplate('two', 'welcome')).toBeNull();
    expect(await templates.deleteTemplate('two', 'welcome')).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(unwrap(await templates.listTemplates('two'))).toEqual([]);
  });

  test('moves the definitions version on with every change, in the transaction of the change', async () => {
    const templates = service();
    const before = await definitionsVersion();
    await templates.setTemplate('version', welcome);
    const row = await db.database.pool.query(
      "select changed_at_version from tocsin.templates where tenant_id = 'version'",
    );
    expect(Number(row.rows[0].changed_at_version)).toBe(before + 1);
    const work = db.database.transaction(async (_tx, client) => {
      await templates.setTemplate('version', { ...welcome, name: 'other' }, { tx: client });
      await templates.deleteTemplate('version', 'welcome', { tx: client });
      throw new Error('back');
    });
    await expect(work).rejects.toThrow('back');
    expect(await definitionsVersion()).toBe(before + 1);
    expect(unwrap(await templates.listTemplates('version'))).toHaveLength(1);
    await templates.deleteTemplate('version', 'welcome');
    expect(await definitionsVersion()).toBe(before + 2);
    await templates.deleteTemplate('version', 'welcome');
    expect(await definitionsVersion()).toBe(before + 2);
  });

  test('gives the nearest name when there is none', async () => {
    const templates = service();
    await templates.setTemplate('near', welcome);
    for (const answer of [
      await templates.getTemplate('near', 'wellcome'),
      await templates.deleteTemplate('near', 'wellcome'),
    ]) {
      expect(answer).toMatchObject({
        error: { code: 'not_found', message: 'there is no template "wellcome": did you mean "welcome"?' },
      });
    }
    expect(await templates.getTemplate('near', 'a\0')).toMatchObject({ error: { code: 'not_found' } });
  });

  test.each([
    [{ ...welcome, html: '<p>\n  {{ name </p>' }, 'html', /^\d+:\d+: /],
    [{ ...welcome, html: '<a href={{ name }}>' }, 'html', /^1:\d+: /],
    [{ ...welcome, subject: '{{ name|nofilter }}' }, 'subject', /^1:\d+: unknown filter/],
    [{ ...welcome, text: '{% include "x" %}' }, 'text', /^1:/],
    [{ ...welcome, text: 'a\0b' }, 'text', /NUL/],
    [{ name: 'welcome', subject: 's' }, 'html', /write html, text or both/],
    [{ ...welcome, name: 'two words' }, 'name', /letters, digits/],
    [{ ...welcome, htlm: 'x' }, 'htlm', /did you mean "html"/],
  ])('refuses %j', async (input, path, message) => {
    const refused = await service().setTemplate('refuse', input);
    expect(refused).toMatchObject({
      ok: false,
      error: { code: 'invalid', issues: [{ path, message: expect.stringMatching(message) }] },
    });
    expect(unwrap(await service().listTemplates('refuse'))).toEqual([]);
  });

  test('lets two changes at once wait for each other, not fail', async () => {
    const templates = service();
    await templates.setTemplate('busy', welcome);
    const changes = Array.from({ length: 10 }, (_, i) =>
      i % 2 === 0 ? templates.setTemplate('busy', welcome) : templates.deleteTemplate('busy', 'welcome'),
    );
    const answers = await Promise.all(changes);
    expect(answers.every((answer) => answer.ok || answer.error.code === 'not_found')).toBe(true);
  });
});
