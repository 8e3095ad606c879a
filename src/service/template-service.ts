import { z } from 'zod';
import type { StoredTemplate } from '../deliver/action.ts';
import { compileTemplate } from '../deliver/render/compile-template.ts';
import { templateMessage } from '../deliver/render/template-error.ts';
import { type Issue, invalid, unknownName, type WorkflowError } from '../errors.ts';
import { namePattern } from '../model/event.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { bumpDefinitionsVersion, type Database, type Orm } from '../store/database.ts';
import {
  deleteTemplate,
  listTemplates,
  readTemplate,
  type TemplateContent,
  writeTemplate,
} from '../store/templates.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

const source = z
  .string()
  .min(1)
  .max(65_536)
  .regex(/^[^\0]*$/, 'must not hold the character NUL');

const templateInput = z
  .strictObject({
    name: z.string().regex(namePattern, 'letters, digits, "_", "-" and "." only, at most 63, a letter first'),
    /** Used unless the action has a subject of its own. */
    subject: source.max(2_000).nullish(),
    html: source.nullish(),
    /** Default: made from the HTML. */
    text: source.nullish(),
  })
  .refine(({ html, text }) => html != null || text != null, { path: ['html'], message: 'write html, text or both' });

/** What a caller may write. */
export type TemplateInput = z.input<typeof templateInput>;

/** A tenant's mail templates, which email actions use by name. Each replaces the one of its name at once. */
export class TemplateService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /**
   * Stores a template, in place of the one that has the name. `invalid` with line and column when a part does not parse.
   * The names a template may read depend on the action that uses it and are checked with that.
   */
  async setTemplate(tenantId: string, input: TemplateInput, options: WriteOptions = {}): Answer<StoredTemplate> {
    const parsed = parseInput(templateInput, input);
    if (!parsed.ok) return err(invalid('the template', parsed.error));
    const { name, subject = null, html = null, text = null } = parsed.value;
    const content = { subject, html, text };
    const issues = checkParts(content);
    if (issues.length > 0) return err(invalid(`the template "${name}"`, issues));
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const changedAtVersion = await bumpDefinitionsVersion(tx);
      return ok(await writeTemplate(tx, { tenantId, name }, { ...content, changedAtVersion }));
    });
  }

  /** One template; `not_found` with the nearest name there is. */
  async getTemplate(tenantId: string, name: string): Answer<StoredTemplate> {
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const template = namePattern.test(name) ? await readTemplate(orm, { tenantId, name }) : null;
      return template ? ok(template) : err(await notFound(orm, tenantId, name));
    });
  }

  /** All templates of the tenant, by name. */
  async listTemplates(tenantId: string): Answer<readonly StoredTemplate[]> {
    return withTenant(this.#database, { tenantId }, async (orm) => ok(await listTemplates(orm, tenantId)));
  }

  /** Deletes a template. Mails that need it fail with `template_missing` until there is one of the name again. */
  async deleteTemplate(tenantId: string, name: string, options: WriteOptions = {}): Answer<null> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const isThere = namePattern.test(name) && (await readTemplate(tx, { tenantId, name })) !== null;
      if (!isThere) return err(await notFound(tx, tenantId, name));
      // First the version, then the row, as every other change: the other order could wait for ever.
      await bumpDefinitionsVersion(tx);
      await deleteTemplate(tx, { tenantId, name });
      return ok(null);
    });
  }

  /** For delivery attempts: the template as it is now, or null. */
  async storedTemplate(tenantId: string, name: string): Promise<StoredTemplate | null> {
    return namePattern.test(name) ? readTemplate(this.#database.orm, { tenantId, name }) : null;
  }
}

function checkParts(content: TemplateContent): Issue[] {
  const sinks = { subject: 'line', html: 'html', text: 'text' } as const;
  return (['subject', 'html', 'text'] as const).flatMap((part) => {
    const written = content[part];
    const compiled = written === null ? ok(null) : compileTemplate(written, { sink: sinks[part] });
    return compiled.ok ? [] : [{ path: part, message: templateMessage(compiled.error) }];
  });
}

async function notFound(orm: Orm, tenantId: string, name: string): Promise<WorkflowError> {
  const known = (await listTemplates(orm, tenantId)).map((template) => template.name);
  const subject = `there is no template "${name}"`;
  return unknownName({ subject, written: name, known, next: 'list templates to see their names' });
}
