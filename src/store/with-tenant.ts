/**
 * How a service is bound to its tenant: its statements run as the role `tocsin_service`, which row level security shows only the
 * rows of the tenant that the setting `tocsin.tenant_id` names (migrations/0003_tenancy.sql). Both hold until the transaction
 * ends. A statement that forgets its `tenant_id = ...` finds nothing of other tenants.
 *
 * A transaction of its own costs two round trips more than a statement alone: role and tenant travel with `begin`. In the
 * caller's transaction it is two as well: one sets both and answers what stood before, one puts that back. What a refused
 * statement leaves is put back by the rollback that has to follow, also one to a savepoint.
 */
import { sql } from 'drizzle-orm';
import { escapeLiteral } from 'pg';
import type { WorkflowError } from '../errors.ts';
import { err, type Result } from '../model/result.ts';
import { checkTenantId } from '../model/tenant-id.ts';
import { type Database, type Orm, ormOf, type Transaction } from './database.ts';
import { errorCode } from './database-trouble.ts';

/** Whose rows, and in which transaction. */
export type TenantScope = {
  readonly tenantId: string;
  /** The caller's transaction; without it the work has one of its own. */
  readonly tx?: Transaction | undefined;
  /** What one statement of a transaction of its own may take, ms. */
  readonly statementTimeoutMs?: number;
};

const deadlockDetected = '40P01';

type Work<T> = (orm: Orm) => Promise<Result<T, WorkflowError>>;

/**
 * Runs `work` as one tenant, in a transaction: the caller's, or one that commits when `work` answers (also a refusal) and rolls
 * back when it throws; it is run once more when it was the victim of a deadlock. In the caller's, role and tenant are afterwards
 * what they were. `invalid` for what cannot be the id of a tenant: then nothing is run.
 */
export async function withTenant<T>(
  database: Database,
  { tenantId, tx, statementTimeoutMs }: TenantScope,
  work: Work<T>,
): Promise<Result<T, WorkflowError>> {
  const refusal = checkTenantId(tenantId);
  if (refusal) return err(refusal);
  if (tx !== undefined) return inTurn(tx, () => within(ormOf(database, tx), tenantId, work));
  const bind = `set local role tocsin_service; set local tocsin.tenant_id = ${escapeLiteral(tenantId)}`;
  const limit = statementTimeoutMs === undefined ? '' : `; set local statement_timeout = ${Number(statementTimeoutMs)}`;
  const run = () => database.transaction(work, { begin: `begin; ${bind}${limit}` });
  return run().catch((error: unknown) => {
    if (errorCode(error) !== deadlockDetected) throw error;
    return run();
  });
}

async function within<T>(orm: Orm, tenantId: string, work: Work<T>): Promise<Result<T, WorkflowError>> {
  const before = await orm.execute<{ role: string; tenant: string | null }>(sql`
    select current_setting('role') as role, current_setting('tocsin.tenant_id', true) as tenant,
      set_config('tocsin.tenant_id', ${tenantId}, true), set_config('role', 'tocsin_service', true)`);
  const { role, tenant } = before.rows[0] as { role: string; tenant: string | null };
  const putBack = () =>
    orm.execute(sql`select set_config('role', ${role}, true), set_config('tocsin.tenant_id', ${tenant ?? ''}, true)`);
  // Told apart from the caller's, so that work which calls another service does not wait for itself.
  const own = Object.create(orm) as Orm;
  let answer: Result<T, WorkflowError>;
  try {
    answer = await work(own);
  } catch (error) {
    // Refused when the transaction is already broken: then the rollback puts it back.
    await putBack().catch(() => undefined);
    throw error;
  }
  await putBack();
  return answer;
}

const turns = new WeakMap<Transaction, Promise<unknown>>();

/** One after another in a transaction: two at once would each run some of their statements as the other's tenant. */
function inTurn<T>(tx: Transaction, run: () => Promise<T>): Promise<T> {
  const turn = (turns.get(tx) ?? Promise.resolve()).then(run);
  turns.set(
    tx,
    turn.catch(() => undefined),
  );
  return turn;
}
