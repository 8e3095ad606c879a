/** Events of your own code: stored in your transaction, matched like row changes. */
import type { IncomingHttpHeaders } from 'node:http';
import type pg from 'pg';
import { z } from 'zod';
import {
  type Database,
  DomainEvent,
  EventDispatcher,
  type Tocsin,
  unwrap,
  WorkflowEventHandler,
} from '../src/index.ts';

// #region event
export class UserCreated extends DomainEvent {
  readonly userId: string;
  readonly username: string;
  readonly email: string;

  constructor(tenantId: string, user: { userId: string; username: string; email: string }) {
    super({ tenantId, idempotencyKey: `user-created-${user.userId}` });
    this.userId = user.userId;
    this.username = user.username;
    this.email = user.email;
  }
}
// #endregion

/** What a sign-up tells. */
type UserDetails = ConstructorParameters<typeof UserCreated>[1];

// #region caused-by
/** In a route that webhooks of workflows call, too. */
export async function signUpFromRoute(tocsin: Tocsin, headers: IncomingHttpHeaders, user: UserDetails) {
  return tocsin.events.dispatch(new UserCreated('acme', user), { causedBy: headers['tocsin-causation'] });
}
// #endregion

// #region register
export async function registerUserType(tocsin: Tocsin): Promise<void> {
  const fields = z.object({ userId: z.string(), username: z.string(), email: z.string() });
  unwrap(await tocsin.entityTypes.register({ name: 'user', operations: ['insert'], fields }));
}
// #endregion

// #region dispatch
export async function signUp(tocsin: Tocsin, pool: pg.Pool, user: { userId: string; username: string; email: string }) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('insert into users (id, username) values ($1, $2)', [user.userId, user.username]);
    unwrap(await tocsin.events.dispatch(new UserCreated('acme', user), { tx: client }));
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
// #endregion

// #region by-hand
export function createDispatcher(database: Database): EventDispatcher {
  const dispatcher = new EventDispatcher();
  dispatcher.registerHandler(UserCreated, new WorkflowEventHandler(database));
  return dispatcher;
}
// #endregion
