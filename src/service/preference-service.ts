import { z } from 'zod';
import { invalid, unknownWord } from '../errors.ts';
import type { Handlers } from '../handlers.ts';
import { userId } from '../model/directory-user.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import type { Preference } from '../model/preference.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import type { Database } from '../store/database.ts';
import { listPreferences, type PreferenceCursor, writePreference } from '../store/preferences.ts';
import { withTenant } from '../store/with-tenant.ts';
import { workflowExists } from '../store/workflows.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { isUuid } from './list-input.ts';
import { workflowNotFound } from './workflow-change.ts';

const choiceInput = z.strictObject({
  userId,
  /** An action type: `email`, `notification`, or one of the host's own. */
  channel: z.string(),
  /** Left out or null: for every workflow that has no preference of its own. */
  workflowId: z.string().nullable().default(null),
});
const preferenceInput = choiceInput.extend({ muted: z.boolean() });

/** Which way of being told. */
export type PreferenceChoice = z.input<typeof choiceInput>;
/** What a person wants. */
export type PreferenceInput = z.input<typeof preferenceInput>;

const cursorInput = z.tuple([z.string(), z.string(), z.string()]);
const listInput = pageInput.extend({
  userId: userId.optional(),
  channel: z.string().refine(isStorableText, unstorable).optional(),
});

/**
 * What people do not want to be told: by channel (an action type), from one workflow or from all. It counts from the next
 * attempt on; what is skipped because of it has the reason `opted_out`.
 */
export class PreferenceService {
  readonly #database: Database;
  readonly #handlers: Handlers;

  constructor(options: { readonly database: Database; readonly handlers: Handlers }) {
    this.#database = options.database;
    this.#handlers = options.handlers;
  }

  /**
   * Mutes or unmutes. What a person said about one workflow goes before what they said about all: muted for all and unmuted
   * for one means this one only. `invalid` for a channel that is no action type, `not_found` for a workflow that is not
   * there.
   */
  async setPreference(tenantId: string, input: PreferenceInput, options: WriteOptions = {}): Answer<Preference> {
    const given = parseInput(preferenceInput, input);
    if (!given.ok) return err(invalid('the preference', given.error));
    const { muted, ...choice } = given.value;
    const allowed = this.#handlers.actions.types();
    if (!allowed.includes(choice.channel)) {
      const issue = unknownWord({ path: 'channel', kind: 'channel', written: choice.channel, allowed });
      return err(invalid('the preference', [issue]));
    }
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const { workflowId } = choice;
      if (workflowId !== null && !(isUuid(workflowId) && (await workflowExists(orm, { tenantId, id: workflowId })))) {
        return err(workflowNotFound(workflowId));
      }
      return ok(await writePreference(orm, { tenantId, ...choice }, { muted, source: 'host' }));
    });
  }

  /** Lets a person be told again: the same as `setPreference` with `muted: false`. */
  async unmute(tenantId: string, choice: PreferenceChoice, options: WriteOptions = {}): Answer<Preference> {
    return this.setPreference(tenantId, { ...choice, muted: false }, options);
  }

  /** Everything one person has said; empty for somebody who is told everything. */
  async getPreferences(tenantId: string, userId: string): Answer<readonly Preference[]> {
    return withTenant(this.#database, { tenantId }, async (orm) => {
      if (!isStorableText(userId)) return ok([]);
      return ok(await listPreferences(orm, { tenantId, userId, channel: null, after: null, limit: null }));
    });
  }

  /** What people of the tenant have said, by user, channel and workflow. */
  async list(tenantId: string, filter: z.input<typeof listInput> = {}): Answer<Page<Preference>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { userId = null, channel = null, limit, cursor } = given.value;
    const after = cursor === undefined ? null : readCursor(cursor);
    if (after === undefined) {
      return err(invalid('the filter', [{ path: 'cursor', message: 'is not a cursor of this list' }]));
    }
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const rows = await listPreferences(orm, { tenantId, userId, channel, after, limit: limit + 1 });
      return ok(pageOf(rows, limit, (row) => JSON.stringify([row.userId, row.channel, row.workflowId ?? ''])));
    });
  }
}

/** Where a page starts; undefined for what is no cursor of ours. */
function readCursor(text: string): PreferenceCursor | undefined {
  try {
    const [userId, channel, workflowId] = cursorInput.parse(JSON.parse(text));
    return [userId, channel, workflowId].every(isStorableText) ? { userId, channel, workflowId } : undefined;
  } catch {
    return undefined;
  }
}
