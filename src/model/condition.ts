/**
 * What a condition says: true, false, error (could not be decided; never fires), or deferred (needs a look-up, so it is
 * decided after the pure ones).
 */
export type Verdict = boolean | 'error' | 'deferred';

/** Why a condition said what it said; stored with the execution. */
export type ConditionTrace = {
  readonly partId?: string;
  readonly name?: string;
  readonly type: string;
  readonly result: Verdict;
  /** What was asked for, readable (`total gt 500`). */
  readonly expected?: unknown;
  /** What was found. */
  readonly actual?: unknown;
  /** For `error`: what went wrong. */
  readonly error?: string;
  readonly children?: readonly ConditionTrace[];
};

/** All must be true. One false decides; else it is open while one is deferred; else one error is an error (Kleene's strong logic). */
export function allOf(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = true;
  for (const verdict of verdicts) {
    if (verdict === false) return false;
    if (verdict === 'deferred') result = verdict;
    else if (verdict === 'error' && result === true) result = verdict;
  }
  return result;
}

/** One must be true. One true decides; else it is open while one is deferred; else one error is an error. */
export function anyOf(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = false;
  for (const verdict of verdicts) {
    if (verdict === true) return true;
    if (verdict === 'deferred') result = verdict;
    else if (verdict === 'error' && result === false) result = verdict;
  }
  return result;
}

/** The opposite; what could not be decided stays undecided. */
export function notOf(verdict: Verdict): Verdict {
  return typeof verdict === 'boolean' ? !verdict : verdict;
}
