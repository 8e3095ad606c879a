import type { DeliveryOutcome } from '../../model/retry.ts';

/** What nodemailer says when a mail did not go out. */
export type SmtpError = Error & {
  readonly code?: string | undefined;
  readonly originalCode?: string | undefined;
  /** The server's whole answer. */
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  /** `MAIL FROM`, `RCPT TO`, `DATA`, `AUTH ...`; `CONN` for the connection itself. */
  readonly command?: string | undefined;
};

const longestText = 1_000;

/** Answers that speak of our login or encryption and not of the mail (RFC 4954, section 6; RFC 3207). */
const accessReplies = [530, 534, 535, 538];

/**
 * What a failed mail comes to. Of what the server says about the mail, 4xx is tried again and 5xx is final; what it says
 * about the session (greeting, login, encryption) is not the mail's fault. A connection that broke after the message had
 * begun leaves open whether the mail went out, so it is tried again under the same Message-ID.
 *
 * @param started whether a byte of the message had been handed over
 */
export function smtpOutcome(options: { error: SmtpError; started: boolean; aborted: boolean }): DeliveryOutcome {
  const { error, started, aborted } = options;
  const { code, responseCode: reply, command } = error;
  if (aborted || code === 'ETIMEDOUT') {
    return { status: 'retry', reason: 'timeout', detail: { error: started ? 'no answer in time' : error.message } };
  }
  const isAboutMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (reply !== undefined) {
    const detail = { reply, command, response: error.response?.slice(0, longestText) };
    // 503 says that the session was in the wrong state.
    if (reply < 500 || reply === 503) return { status: 'retry', reason: 'smtp_deferred', detail };
    return isAboutMail && !accessReplies.includes(reply)
      ? { status: 'failed', reason: 'smtp_rejected', detail }
      : { status: 'retry', reason: 'connection_failed', detail };
  }
  const detail = { error: error.message.slice(0, longestText), code: error.originalCode ?? code };
  if (isAboutMail) return { status: 'failed', reason: 'smtp_rejected', detail };
  return { status: 'retry', reason: started ? 'outcome_unknown' : 'connection_failed', detail };
}
