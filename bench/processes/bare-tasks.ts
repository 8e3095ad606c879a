/** Drains one database after another through a bare loop. */
import { type ParameterFormat, type PlannedRows, readPlannedRows, runBareLoop } from '../../src/cli/bench/bare-loop.ts';
import { openDatabase } from '../../src/store/database.ts';
import { doTasks } from './child-process.ts';

/** `learn`: read there what is to be written. `drain`: write it. */
export type BareTask = { readonly databaseUrl: string } & (
  | { readonly step: 'learn' }
  | { readonly step: 'drain'; readonly format: ParameterFormat }
);

let planned: ReadonlyMap<string, PlannedRows> = new Map();

await doTasks<BareTask>(async (task) => {
  const database = openDatabase({ databaseUrl: task.databaseUrl });
  if (task.step === 'drain') await runBareLoop(database, { planned, format: task.format });
  else planned = await readPlannedRows(database.pool);
  await database.close();
  return;
});
