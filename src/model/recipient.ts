import { type Json, stringifyJson } from './json.ts';

/** Someone who can be told. */
export type Recipient = {
  readonly id: string;
  readonly name: string | null;
  readonly email: string | null;
  /** BCP 47, e.g. `de-AT`. */
  readonly locale: string | null;
  /** IANA name, e.g. `Europe/Vienna`. */
  readonly timezone: string | null;
  readonly attributes: Readonly<Record<string, Json>>;
  /** Inactive users are named in the log and not told. */
  readonly active: boolean;
};

/** A question to the directory. */
export type RecipientQuery =
  | { readonly kind: 'users'; readonly ids: readonly string[] }
  | { readonly kind: 'role'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'attribute'; readonly name: string; readonly value: Json };

/** A query as text: equal for equal queries of one tenant, so that a batch asks each of them once. */
export function queryKey(tenantId: string, query: RecipientQuery): string {
  switch (query.kind) {
    case 'users':
      return JSON.stringify([tenantId, 'users', ...query.ids]);
    case 'role':
    case 'group':
      return JSON.stringify([tenantId, query.kind, query.name]);
    case 'attribute':
      return stringifyJson([tenantId, 'attribute', query.name, query.value]);
  }
}

/** A query of one tenant, as part of a batch. */
export type RecipientRequest = { readonly tenantId: string; readonly query: RecipientQuery };

/** Answers to a batch, by `queryKey`; `too_many` for those that must be read page by page. */
export type RecipientAnswers = ReadonlyMap<string, readonly Recipient[] | 'too_many'>;

/** A window of an answer: users with ids after `after` in byte order, `limit` at most. */
export type RecipientPage = { readonly after: string | null; readonly limit: number };

/**
 * Where recipients come from. The default directory keeps them in Tocsin's tables; a host implements this over its own
 * user tables. A rejected promise fails closed: nobody is told through that recipient, and the log says why.
 */
export type Directory = {
  /** Users that fit the query, ordered by id (byte order), one page. Unknown roles and groups have no members. */
  readonly find: (tenantId: string, query: RecipientQuery, page: RecipientPage) => Promise<readonly Recipient[]>;
  /** Role names of each user; users without roles may be left out. */
  readonly rolesOf: (tenantId: string, userIds: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
};

/** The recipient as the data that `{{ recipient.x }}` reads. */
export function recipientData(recipient: Recipient): Record<string, Json> {
  return {
    id: recipient.id,
    name: recipient.name,
    email: recipient.email,
    locale: recipient.locale,
    timezone: recipient.timezone,
    attributes: recipient.attributes,
  };
}
