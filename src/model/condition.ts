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

/** All must be true. One false decides; else one error; else one deferred (Kleene's strong logic). */
export function allOf(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = true;
  for (const verdict of verdicts) {
    if (verdict === false) return false;
    if (verdict === 'error') result = 'error';
    else if (verdict === 'deferred' && result === true) result = 'deferred';
  }
  return result;
}

/** One must be true. One true decides; else one error; else one deferred. */
export function anyOf(verdicts: Iterable<Verdict>): Verdict {
  let result: Verdict = false;
  for (const verdict of verdicts) {
    if (verdict === true) return true;
    if (verdict === 'error') result = 'error';
    else if (verdict === 'deferred' && result === false) result = 'deferred';
  }
  return result;
}

/** The opposite; what could not be decided stays undecided. */
export function notOf(verdict: Verdict): Verdict {
  return typeof verdict === 'boolean' ? !verdict : verdict;
}
