import { z } from 'zod';
import { isMailAddress } from '../deliver/transports/mail-address.ts';
import { invalid, WorkflowError } from '../errors.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { addressKey, type Suppression, suppressionReasons } from '../model/suppression.ts';
import type { Database } from '../store/database.ts';
import { deleteSuppression, listSuppressions, writeSuppression } from '../store/suppressions.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

const listInput = pageInput.extend({
  address: z.string().refine(isStorableText, unstorable).optional(),
  reason: z.enum(suppressionReasons).optional(),
});

const suppressionInput = z.strictObject({
  address: z.string().refine(isMailAddress, 'is not a mail address such as "ada@example.com"'),
  /** `complaint` when the recipient marked a mail as spam; `host` for every other reason of yours. */
  reason: z.enum(suppressionReasons).default('host'),
  /** A note, or what a mail server said. */
  detail: z.string().max(1_000).refine(isStorableText, unstorable).nullable().default(null),
});

/** What a caller may write. */
export type SuppressionInput = z.input<typeof suppressionInput>;

/**
 * Addresses that a tenant's mails do not go to. The engine adds those that a mail server says do not exist; add those that
 * your provider reports as bounced or complained about. Deliveries to them are skipped with `suppressed_address`, also of
 * actions that nobody can opt out of.
 */
export class SuppressionService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Suppressed addresses, by address. */
  async list(tenantId: string, filter: z.input<typeof listInput> = {}): Answer<Page<Suppression>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { address, reason = null, limit, cursor = '' } = given.value;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const rows = await listSuppressions(orm, {
        tenantId,
        address: address === undefined ? null : addressKey(address),
        reason,
        after: cursor,
        limit: limit + 1,
      });
      return ok(pageOf(rows, limit, (row) => row.address));
    });
  }

  /** Stops mails to an address; one that is stopped already gets the new reason. */
  async add(tenantId: string, input: SuppressionInput, options: WriteOptions = {}): Answer<Suppression> {
    const given = parseInput(suppressionInput, input);
    if (!given.ok) return err(invalid('the suppression', given.error));
    const { address, reason, detail } = given.value;
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) =>
      ok(await writeSuppression(orm, { tenantId, address: addressKey(address), reason, detail })),
    );
  }

  /** Lets mails go to an address again, however it is written. What was skipped meanwhile is not sent. */
  async remove(tenantId: string, address: string, options: WriteOptions = {}): Answer<null> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const key = addressKey(address);
      if (isStorableText(key) && (await deleteSuppression(orm, { tenantId, address: key }))) return ok(null);
      return err(new WorkflowError('not_found', `mails to "${address}" are not suppressed`));
    });
  }
}
