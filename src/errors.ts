import { distance } from 'fastest-levenshtein';

/**
 * Every code a caller can meet, once. HTTP status and CLI exit code derive from it (a test holds docs and table together).
 * `retryable` says whether the same call can succeed later without a change by the caller.
 */
export const errorCodes = {
  invalid: {
    httpStatus: 422,
    exitCode: 2,
    retryable: false,
    meaning: 'The input does not fit; `issues` names each place.',
  },
  not_found: { httpStatus: 404, exitCode: 3, retryable: false, meaning: 'No such thing in this tenant.' },
  conflict: { httpStatus: 409, exitCode: 4, retryable: false, meaning: 'The thing is in a state that forbids this.' },
  not_allowed: { httpStatus: 403, exitCode: 5, retryable: false, meaning: 'The caller may not do this.' },
  not_migrated: {
    httpStatus: 503,
    exitCode: 6,
    retryable: false,
    meaning: 'The database lacks the schema: run `tocsin migrate`.',
  },
  unavailable: { httpStatus: 503, exitCode: 7, retryable: true, meaning: 'A service we stand on did not answer.' },
  quota_exceeded: {
    httpStatus: 429,
    exitCode: 9,
    retryable: false,
    meaning: 'A quota of the tenant is used up; the message names it and its number.',
  },
  timeout: { httpStatus: 504, exitCode: 8, retryable: true, meaning: 'What was waited for did not happen in time.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** One thing wrong with an input: where (dotted path with indices), what, and what would be right. */
export type Issue = {
  readonly path: string;
  readonly message: string;
  readonly allowed?: readonly string[];
  readonly didYouMean?: string;
};

/**
 * An expected refusal. The service returns it inside a Result; faults (a bug, a lost connection) throw other errors.
 * The message names the thing and the next step.
 */
export class WorkflowError extends Error {
  override readonly name = 'WorkflowError';
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];

  constructor(code: ErrorCode, message: string, options: { issues?: readonly Issue[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
  }

  toJSON(): { code: ErrorCode; message: string; issues: readonly Issue[] } {
    return { code: this.code, message: this.message, issues: this.issues };
  }
}

/** `invalid` with its issues, the first of them in the message. */
export function invalid(subject: string, issues: readonly Issue[]): WorkflowError {
  const first = issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const detail = first ? `: ${first.path ? `${first.path}: ` : ''}${first.message}${more}` : '';
  return new WorkflowError('invalid', `${subject} is not valid${detail}`, { issues });
}

/** The allowed word nearest to what was written, if one is near enough to be meant. */
export function nearest(written: string, allowed: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(written.length / 3)) + 1;
  for (const candidate of allowed) {
    const d = distance(written.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** `not_found` for a name that nothing has: says which was probably meant, else what to do next. */
export function unknownName(options: {
  /** What is not there, as the beginning of a sentence: `there is no secret "stripee"`. */
  subject: string;
  written: string;
  known: Iterable<string>;
  next: string;
}): WorkflowError {
  const { subject, written, known, next } = options;
  const meant = nearest(written, known);
  return new WorkflowError('not_found', `${subject}: ${meant === undefined ? next : `did you mean "${meant}"?`}`);
}

/** An issue for a word that is not in a closed list: says what was written, what is allowed, and what was probably meant. */
export function unknownWord(options: {
  path: string;
  kind: string;
  written: string;
  allowed: readonly string[];
}): Issue {
  const { path, kind, written, allowed } = options;
  const didYouMean = nearest(written, allowed);
  const hint = didYouMean ? `: did you mean "${didYouMean}"?` : `; allowed: ${allowed.join(', ') || 'none'}`;
  const issue = { path, message: `unknown ${kind} "${written}"${hint}`, allowed };
  return didYouMean ? { ...issue, didYouMean } : issue;
}
