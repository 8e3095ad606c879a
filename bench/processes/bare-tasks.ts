/** Drains one database after another through a bare loop. */
import { openDatabase } from '../../src/store/database.ts';
import { type ParameterFormat, type PlannedRows, readPlannedRows, runBareLoop } from '../peers/bare-loop.ts';
import { doTasks } from './child-process.ts';

/** `learn`: read there what is to be written. `drain`: write it. */
export type BareTask = { readonly databaseUrl: string } & (
  | { readonly step: 'learn' }
  | { readonly step: 'drain'; readonly format: ParameterFormat }
);

let planned: ReadonlyMap<string, PlannedRows> = new Map();

await doTasks<BareTask>(async (task) => {
  if (task.step === 'drain') {
    await runBareLoop(task.databaseUrl, { planned, format: task.format });
    return;
  }
  const database = openDatabase({ databaseUrl: task.databaseUrl });
  planned = await readPlannedRows(database.pool);
  await database.close();
});
