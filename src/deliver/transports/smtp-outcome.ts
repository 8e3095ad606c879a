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

/** RFC 3463: no such mailbox, no such domain, not an address, moved away; a domain without mail (RFC 7505); switched off. */
const goneForGood = ['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10', '5.2.1'];
/** Replies to RCPT that are about the mailbox (RFC 5321, section 4.2.3) when no enhanced code says more. */
const mailboxReplies = [550, 551, 553];
/** Words of replies that say there is no such mailbox; without them a refusal may be about anything. */
const aboutMailbox =
  /\bno (?:such )?(?:user|mailbox|recipient|person|account|address)|(?:unknown|invalid) (?:local )?(?:user|mailbox|recipient|account|address)|\b(?:user|mailbox|recipient|addressee|account|address)\b.{0,200}(?:unknown|invalid|name not allowed|n.t (?:exist|found|local|known|have an?\b))/is;
/** Words of refusals that are about us and not about the address: every address would get them. */
const aboutSender =
  /relay|rcpthosts|spam|block|polic|reputation|black|denied|permitted|prohibit|sender|mail from|auth|log ?in\b|client|\b(?:spf|dkim|dmarc|rbl|r?dns|ptr|ip|helo|ehlo)\b/i;
/** Words of refusals that will pass, though the code is final: Gmail says 5.2.1 of one who gets too many mails at a time. */
const willPass = /\brate\b|quota|limit|too (?:many|much|fast|quickly)|\bfull\b|temporar|try again|later/i;

/**
 * Says whether a refusal of the recipient means that the address does not exist. Doubtful ones do not: a full mailbox, too
 * many mails, a policy, a relay that does not know us.
 */
function isHardBounce({ command, responseCode = 0, response = '' }: SmtpError): boolean {
  if (command !== 'RCPT TO' || willPass.test(response)) return false;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  if (enhanced !== undefined) return goneForGood.includes(enhanced);
  return mailboxReplies.includes(responseCode) && aboutMailbox.test(response) && !aboutSender.test(response);
}

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
    if (!isAboutMail || accessReplies.includes(reply)) return { status: 'retry', reason: 'connection_failed', detail };
    return { status: 'failed', reason: isHardBounce(error) ? 'hard_bounce' : 'smtp_rejected', detail };
  }
  const detail = { error: error.message.slice(0, longestText), code: error.originalCode ?? code };
  if (isAboutMail) return { status: 'failed', reason: 'smtp_rejected', detail };
  return { status: 'retry', reason: started ? 'outcome_unknown' : 'connection_failed', detail };
}
