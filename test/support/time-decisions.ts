/** Prints everything that could depend on the time zone of the machine, as JSON; a process of its own has a zone of its own. */
import { checkImage } from '../../src/capture/check-image.ts';
import { compileTemplate } from '../../src/deliver/render/compile-template.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { compileCondition } from '../../src/match/compile-condition.ts';
import { compareValues, comparisonKey } from '../../src/model/compare-values.ts';
import { instantOf } from '../../src/model/instant.ts';
import { stringifyJson } from '../../src/model/json.ts';
import { unwrap } from '../../src/model/result.ts';
import { sampleEvent } from './sample-event.ts';

const texts = [
  '2026-03-29',
  '2026-03-29T02:30:00',
  '2026-03-29 02:30:00+00',
  '2011-12-30T12:00:00',
  '2026-10-04T02:15:00',
  '10000-01-01',
  '0044-03-15 BC',
];
const zones = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York', 'Pacific/Apia'];
/** Around the changes of the clocks, and the day that Apia left out. */
const moments = [
  '2026-03-29T00:59:00Z',
  '2026-03-29T01:00:00Z',
  '2026-10-25T00:30:00Z',
  '2026-10-25T01:30:00Z',
  '2026-10-03T15:45:00Z',
  '2026-04-04T15:15:00Z',
  '2026-11-01T05:30:00Z',
  '2011-12-30T09:59:00Z',
  '2011-12-30T10:00:00Z',
];
const { conditions } = createHandlers();

function openAt(timezone: string, moment: string): unknown {
  const definition = { type: 'time_based', days: ['weekends'], start_time: '01:00', end_time: '03:00', timezone };
  const compiled = compileCondition(conditions, definition, { path: '', entityTypes: [], savedQueries: null });
  const now = new Date(moment);
  return unwrap(compiled).trace({ event: sampleEvent({ occurredAt: now }), now });
}

function written(value: string, zone: string): unknown {
  const template = compileTemplate('{{ at | date("yyyy-LL-dd HH:mm ZZZZ", zone) }}', { sink: 'text' });
  return unwrap(template).render({ at: value, zone });
}

process.stdout.write(
  stringifyJson({
    instants: texts.map((text) => [text, instantOf(text), comparisonKey(text)]),
    orders: texts.flatMap((left) => texts.map((right) => compareValues(left, right))),
    windows: zones.flatMap((zone) => moments.map((moment) => [zone, moment, openAt(zone, moment)])),
    dates: zones.flatMap((zone) => texts.map((text) => [zone, text, written(text, zone)])),
    images: checkImage('payload', { at: new Date(0) }),
  }),
);
