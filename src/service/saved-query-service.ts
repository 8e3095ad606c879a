import type { z } from 'zod';
import { invalid, unknownName, WorkflowError } from '../errors.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { type SavedQueryInput, validateSavedQuery } from '../model/saved-query.ts';
import { isStorableText } from '../model/storable-text.ts';
import { bumpDefinitionsVersion, type Database, type Orm } from '../store/database.ts';
import { loadEntityTypes } from '../store/entity-types.ts';
import {
  deleteSavedQuery,
  insertSavedQuery,
  listSavedQueries,
  readSavedQuery,
  type SavedQueryPlace,
  type StoredQuery,
  updateSavedQuery,
} from '../store/saved-queries.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

/**
 * A tenant's saved queries: named filters over the table of one entity type, for `query_match`. Conditions use them by name
 * and as they are when the condition is asked.
 */
export class SavedQueryService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Saves a query; `conflict` when the tenant has one of the name. */
  async createSavedQuery(tenantId: string, input: SavedQueryInput, options: WriteOptions = {}): Answer<StoredQuery> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const definition = validateSavedQuery(input, await loadEntityTypes(tx));
      if (!definition.ok) return err(invalid('the saved query', definition.error));
      const changedAtVersion = await bumpDefinitionsVersion(tx);
      const saved = await insertSavedQuery(tx, tenantId, { definition: definition.value, changedAtVersion });
      return saved ? ok(saved) : err(nameTaken(definition.value.name));
    });
  }

  /** Replaces a query. With another name in the input it is renamed: conditions that use the old one then fail. */
  async updateSavedQuery(
    tenantId: string,
    name: string,
    input: SavedQueryInput,
    options: WriteOptions = {},
  ): Answer<StoredQuery> {
    const place = { tenantId, name };
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const definition = validateSavedQuery(input, await loadEntityTypes(tx));
      if (!definition.ok) return err(invalid(`the saved query "${name}"`, definition.error));
      // First the version, then the row, as every change of a definition: they go one after the other.
      const changedAtVersion = await bumpDefinitionsVersion(tx);
      const newName = definition.value.name;
      const isTaken = newName !== name && (await readSavedQuery(tx, { tenantId, name: newName })) !== null;
      if (isTaken) return err(nameTaken(newName));
      const isName = isStorableText(name);
      const saved = isName
        ? await updateSavedQuery(tx, place, { definition: definition.value, changedAtVersion })
        : null;
      return saved ? ok(saved) : err(await notFound(tx, place));
    });
  }

  /** One query; `not_found` with the nearest name there is. */
  async getSavedQuery(tenantId: string, name: string): Answer<StoredQuery> {
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const saved = isStorableText(name) ? await readSavedQuery(orm, { tenantId, name }) : null;
      return saved ? ok(saved) : err(await notFound(orm, { tenantId, name }));
    });
  }

  /** Queries of the tenant, by name. */
  async listSavedQueries(tenantId: string, page: z.input<typeof pageInput> = {}): Answer<Page<StoredQuery>> {
    const given = parseInput(pageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor = '' } = given.value;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const rows = await listSavedQueries(orm, { tenantId, after: cursor, limit: limit + 1 });
      return ok(pageOf(rows, limit, (row) => row.name));
    });
  }

  /** Deletes a query. Conditions that use it then cannot be decided, and their workflows do not run. */
  async deleteSavedQuery(tenantId: string, name: string, options: WriteOptions = {}): Answer<null> {
    const place = { tenantId, name };
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const isThere = isStorableText(name) && (await readSavedQuery(tx, place)) !== null;
      if (!isThere) return err(await notFound(tx, place));
      await bumpDefinitionsVersion(tx);
      await deleteSavedQuery(tx, place);
      return ok(null);
    });
  }
}

function nameTaken(name: string): WorkflowError {
  return new WorkflowError('conflict', `there is a saved query "${name}" already: update it, or take another name`);
}

/** Names looked at to say which was meant. */
const maxNames = 1000;

async function notFound(orm: Orm, { tenantId, name }: SavedQueryPlace): Promise<WorkflowError> {
  const queries = await listSavedQueries(orm, { tenantId, after: '', limit: maxNames });
  const known = queries.map((query) => query.name);
  const subject = `there is no saved query "${name}"`;
  return unknownName({ subject, written: name, known, next: 'list saved queries to see their names' });
}
