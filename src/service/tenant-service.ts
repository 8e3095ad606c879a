import { z } from 'zod';
import { isMailAddress, plainDisplayName } from '../deliver/transports/mail-address.ts';
import { invalid, WorkflowError } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import { checkTenantId } from '../model/tenant-id.ts';
import { type SenderSettings, senderDomain } from '../model/tenant-sender.ts';
import { type Database, ormOf } from '../store/database.ts';
import { readSender, writeSender, writeSenderDomains } from '../store/tenant-senders.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

const mailAddress = z.string().refine(isMailAddress, 'is not a mail address such as "orders@acme.example"');

const plainNameOnly = 'write a name in one line, without "@", "<", ">", and without invisible characters';

const senderInput = z.strictObject({
  /** What recipients see as the sender. Null: the deployment's. */
  name: z
    .string()
    .max(100, 'at most 100 characters')
    .refine((name) => isStorableText(name) && plainDisplayName(name) === name, plainNameOnly)
    .nullable()
    .default(null),
  /** Of one of the tenant's domains. Null: the deployment's. */
  address: mailAddress.nullable().default(null),
  /** Where answers go, unless the action says otherwise. */
  replyTo: mailAddress.nullable().default(null),
});

/** What a tenant may say about its sender. */
export type SenderInput = z.input<typeof senderInput>;

const domainsInput = z.strictObject({
  domains: z
    .array(z.string().refine(isDomain, 'is not a domain such as "acme.example"').transform(senderDomain))
    .max(100),
});

/** What operators and tenants settle between them: who the tenant's mails are from. */
export class TenantService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** A tenant's sender and the domains it may send from. What is null is the deployment's. */
  async getSender(tenantId: string): Answer<SenderSettings> {
    return withTenant(this.#database, { tenantId }, async (orm) => ok((await readSender(orm, tenantId)) ?? unset));
  }

  /**
   * Says who the tenant's mails are from; what is left out is the deployment's. `not_allowed` when the address is not of one
   * of the tenant's domains. A name has no `@` and no invisible characters, so that it cannot pass for another address.
   */
  async setSender(tenantId: string, input: SenderInput, options: WriteOptions = {}): Answer<SenderSettings> {
    const given = parseInput(senderInput, input);
    if (!given.ok) return err(invalid('the sender', given.error));
    const { name, address, replyTo } = given.value;
    const domain = address === null ? null : senderDomain(address);
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const written = await writeSender(orm, tenantId, { sender: { name, address, replyTo }, domain });
      if (written) return ok(written);
      const { domains } = (await readSender(orm, tenantId)) ?? unset;
      return err(new WorkflowError('not_allowed', notListed(String(domain), domains)));
    });
  }

  /**
   * For operators, not for tenants: the domains the tenant may send from, each by itself and without its subdomains. Publish
   * SPF and DKIM records for them first. Mails of a tenant whose domain is taken off the list go out under the deployment's
   * address from then on.
   */
  async setSenderDomains(
    tenantId: string,
    domains: readonly string[],
    options: WriteOptions = {},
  ): Answer<SenderSettings> {
    const refusal = checkTenantId(tenantId);
    if (refusal) return err(refusal);
    const given = parseInput(domainsInput, { domains });
    if (!given.ok) return err(invalid('the domains', given.error));
    const distinct = [...new Set(given.value.domains)];
    return ok(await writeSenderDomains(ormOf(this.#database, options.tx), tenantId, distinct));
  }
}

const unset: SenderSettings = { name: null, address: null, replyTo: null, domains: [] };

function isDomain(domain: string): boolean {
  return isMailAddress(`postmaster@${domain}`);
}

function notListed(domain: string, domains: readonly string[]): string {
  const allowed = domains.length > 0 ? `: it may send from ${domains.join(', ')}` : '';
  return `the operator does not let this tenant send from ${domain}${allowed}`;
}
