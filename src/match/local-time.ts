import { IANAZone } from 'luxon';
import { type Issue, unknownWord } from '../errors.ts';
import { err, ok, type Result } from '../model/result.ts';

/** Day of the week (0 is Sunday) and minute of the day (0 to 1439) where somebody's clock shows them. */
export type LocalTime = { readonly day: number; readonly minute: number };

/** Tells the local time of a moment in one time zone. */
export type LocalClock = (moment: Date) => LocalTime;

const minuteMs = 60_000;
const dayMinutes = 1_440;
/** 1 January 1970 was a Thursday. */
const firstDay = 4;

/**
 * The clock of an IANA time zone. It converts the moment and never schedules by local time, so days with a missing or a
 * repeated hour need no care.
 */
export function localClock(timezone: string, path: string): Result<LocalClock, Issue> {
  // Intl also takes offsets such as "+02:00", which know no daylight saving time.
  if (!/^[A-Za-z]/.test(timezone) || !IANAZone.isValidZone(timezone)) {
    const allowed = Intl.supportedValuesOf('timeZone');
    const { allowed: _all, ...issue } = unknownWord({ path, kind: 'time zone', written: timezone, allowed });
    return err(
      issue.didYouMean
        ? issue
        : { path, message: `unknown time zone "${timezone}": use an IANA name such as "Europe/Vienna"` },
    );
  }
  const zone = IANAZone.create(timezone);
  let knownMinute = Number.NaN;
  let known: LocalTime = { day: 0, minute: 0 };
  return ok((moment) => {
    const minute = Math.floor(moment.getTime() / minuteMs);
    // Offsets change at full minutes, and events of a batch happen in the same ones.
    if (minute === knownMinute) return known;
    const local = Math.floor(moment.getTime() / minuteMs + zone.offset(moment.getTime()));
    const day = Math.floor(local / dayMinutes);
    known = { day: (((day + firstDay) % 7) + 7) % 7, minute: local - day * dayMinutes };
    knownMinute = minute;
    return known;
  });
}
