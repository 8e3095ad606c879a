import { and, asc, eq, sql } from 'drizzle-orm';
import type { Orm } from './database.ts';
import { templates } from './schema.ts';

/** One stored mail template of one tenant. */
export type TemplatePlace = { readonly tenantId: string; readonly name: string };

/** What a stored mail template says; at least one of html and text is there. */
export type TemplateContent = {
  readonly subject: string | null;
  readonly html: string | null;
  readonly text: string | null;
};

/** A stored mail template as its tenant sees it. */
export type TemplateRow = TemplateContent & { readonly name: string; readonly updatedAt: Date };

const columns = {
  name: templates.name,
  subject: templates.subject,
  html: templates.html,
  text: templates.text,
  updatedAt: templates.updatedAt,
};

/** Stores a template in place of the one of its name. `changedAtVersion` is the definitions version of this change. */
export async function writeTemplate(
  orm: Orm,
  place: TemplatePlace,
  content: TemplateContent & { readonly changedAtVersion: number },
): Promise<TemplateRow> {
  const changed = { ...content, updatedAt: sql`clock_timestamp()` };
  const rows = await orm
    .insert(templates)
    .values({ ...place, ...changed })
    .onConflictDoUpdate({ target: [templates.tenantId, templates.name], set: changed })
    .returning(columns);
  return rows[0] as TemplateRow;
}

/** One template; null when there is none of the name. */
export async function readTemplate(orm: Orm, place: TemplatePlace): Promise<TemplateRow | null> {
  const rows = await orm.select(columns).from(templates).where(isThis(place));
  return rows[0] ?? null;
}

/** All templates of a tenant, by name. */
export async function listTemplates(orm: Orm, tenantId: string): Promise<TemplateRow[]> {
  return orm.select(columns).from(templates).where(eq(templates.tenantId, tenantId)).orderBy(asc(templates.name));
}

/** Deletes a template, if there is one of the name. */
export async function deleteTemplate(orm: Orm, place: TemplatePlace): Promise<void> {
  await orm.delete(templates).where(isThis(place));
}

function isThis(place: TemplatePlace) {
  return and(eq(templates.tenantId, place.tenantId), eq(templates.name, place.name));
}
