import { stringifyJson } from '../model/json.ts';
import {
  queryKey,
  type Recipient,
  type RecipientAnswers,
  type RecipientQuery,
  type RecipientRequest,
} from '../model/recipient.ts';
import type { Runner } from './connection.ts';
import { type RecipientRow, recipientColumns, toRecipient } from './directory-row.ts';

type NumberedRow = RecipientRow & { readonly position: number };

/**
 * Answers all queries of a batch from Tocsin's tables, each distinct one once, in one statement.
 *
 * @param limitEach a query with more users than this is answered `too_many`
 */
export async function findRecipients(
  runner: Runner,
  requests: readonly RecipientRequest[],
  limitEach: number,
): Promise<RecipientAnswers> {
  const distinct = new Map(requests.map((request) => [queryKey(request.tenantId, request.query), request]));
  if (distinct.size === 0) return new Map();
  const result = await runner.query<NumberedRow>({
    name: 'tocsin_find_recipients',
    text: batchText,
    values: [limitEach + 1, ...columnsOf([...distinct.values()], limitEach)],
  });
  const found: Recipient[][] = Array.from(distinct, () => []);
  for (const row of result.rows) found[row.position]?.push(toRecipient(row));
  const answers = [...distinct].map(([key, { query }], position) => {
    const users = found[position] as Recipient[];
    return [key, isTooMany(query, users, limitEach) ? 'too_many' : users] as const;
  });
  return new Map(answers);
}

const batchText = `
  select r.position, member.*
  from unnest($2::int[], $3::text[], $4::text[], $5::text[]) as r (position, tenant_id, kind, name)
  cross join lateral (
    select ${recipientColumns}
    from tocsin.directory_memberships as m
    join tocsin.directory_users as u
      on u.tenant_id = m.tenant_id
      and u.id = m.user_id
    where m.tenant_id = r.tenant_id
      and m.kind = r.kind
      and m.name = r.name
    order by m.user_id
    limit $1
  ) as member
  union all
  select r.position, ${recipientColumns}
  from unnest($6::int[], $7::text[], $8::text[]) as r (position, tenant_id, user_id)
  join tocsin.directory_users as u
    on u.tenant_id = r.tenant_id
    and u.id = r.user_id
  union all
  select r.position, holder.*
  from unnest($9::int[], $10::text[], $11::text[], $12::jsonb[]) as r (position, tenant_id, name, value)
  cross join lateral (
    select ${recipientColumns}
    from tocsin.directory_users as u
    where tocsin.tenant_attributes(u.tenant_id, u.attributes)
        @> tocsin.tenant_attributes(r.tenant_id, jsonb_build_object(r.name, r.value))
      and u.attributes -> r.name = r.value
    order by u.id
    limit $1
  ) as holder
  order by position, id`;

/** The parameters of the statement: the requests by kind, as columns. */
function columnsOf(requests: readonly RecipientRequest[], limitEach: number): unknown[] {
  const members: [number[], string[], string[], string[]] = [[], [], [], []];
  const users: [number[], string[], string[]] = [[], [], []];
  const attributes: [number[], string[], string[], string[]] = [[], [], [], []];
  for (const [position, { tenantId, query }] of requests.entries()) {
    switch (query.kind) {
      case 'role':
      case 'group':
        append(members, [position, tenantId, query.kind, query.name]);
        break;
      case 'attribute':
        append(attributes, [position, tenantId, query.name, stringifyJson(query.value)]);
        break;
      case 'users':
        if (query.ids.length > limitEach) break;
        for (const id of new Set(query.ids)) append(users, [position, tenantId, id]);
    }
  }
  return [...members, ...users, ...attributes];
}

function append(columns: (string | number)[][], row: readonly (string | number)[]): void {
  for (const [index, value] of row.entries()) columns[index]?.push(value);
}

function isTooMany(query: RecipientQuery, users: readonly Recipient[], limitEach: number): boolean {
  return users.length > limitEach || (query.kind === 'users' && query.ids.length > limitEach);
}
