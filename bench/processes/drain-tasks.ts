/** Drains one database after another through a worker's drain, as one long-running process. */
import { openDatabase } from '../../src/store/database.ts';
import { drainEvents } from '../workloads/drain-events.ts';
import { doTasks } from './child-process.ts';

/** The database to drain, and how many events wait in it. */
export type DrainTask = { readonly databaseUrl: string; readonly count: number };

await doTasks<DrainTask>(async ({ databaseUrl, count }) => {
  const database = openDatabase({ databaseUrl });
  const { batches, roundTrips } = await drainEvents(database, count);
  await database.close();
  return { 'events/batch': count / batches, 'round trips/batch': roundTrips / batches };
});
