import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineConditionHandler, type Subject } from '../../src/match/condition.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import type { Json } from '../../src/model/json.ts';
import { ok } from '../../src/model/result.ts';

const noteOf = ({ event }: Pick<Subject, 'event'>) => (event.payload as Record<string, Json>).note;

/** Does what the note of the record says to the process: what no code can catch. */
function obey(note: Json | undefined): true {
  if (note === 'abort') process.abort();
  while (note === 'hang');
  return true;
}

/** Is decided while events are matched. */
const poisonousMatch = defineConditionHandler({
  type: 'poisonous_match',
  schema: z.strictObject({}),
  compile: () =>
    ok({
      test: (subject) => obey(noteOf(subject)),
      trace: () => ({ type: 'poisonous_match', result: true }),
      evaluate: async () => ({ type: 'poisonous_match', result: true }),
      reads: [],
      access: [],
    }),
});

/** Is decided in the execute stage. */
const poisonousLookup = defineCondition({
  type: 'poisonous_lookup',
  schema: z.object({}),
  evaluate: async (_config, subject) => obey(noteOf(subject)),
});

const poisonousAction = defineAction({
  type: 'poisonous_action',
  schema: z.object({}),
  audience: 'once',
  deliver: async (_config, { event }) => {
    obey(noteOf({ event }));
    return { status: 'delivered' };
  },
});

/** Options of a worker whose handlers end or block the process on request. */
export default {
  conditions: [poisonousMatch, poisonousLookup],
  actions: [poisonousAction],
  worker: { leaseMs: 1_000, hangMs: 1_500 },
};
