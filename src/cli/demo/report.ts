import { executionText } from '../execution-text.ts';
import { bold, dim, green, red } from '../output.ts';
import type { DemoReport } from './demo-report.ts';

/** The demo's report for a terminal: what was written, what each side received, what the log says, what was expected. */
export function demoText(report: DemoReport): string {
  return [
    heading('The shop wrote'),
    ...report.writes.map(({ says, sql }) => `${says}\n${dim(indent(squeeze(sql)))}`),
    `a domain event, dispatched twice under one idempotency key\n${dim('  events.dispatch(new UserCreated(...))')}`,
    heading('Inboxes'),
    ...report.inboxes.map(
      ({ tenant, user, notifications }) =>
        `${bold(user)} ${dim(`of ${tenant}`)}\n${notifications
          .map(({ title, message, priority }) => `  * ${bold(title)} ${dim(priority)}\n    ${message}`)
          .join('\n')}`,
    ),
    heading('Mails received'),
    ...report.mails.map(
      ({ to, subject, text, messageId }) => `${bold(subject)}\n  to ${to}  ${dim(messageId)}\n${indent(text)}`,
    ),
    heading('Webhooks received'),
    ...report.webhooks.map(
      ({ path, answered, webhookId, isSignatureValid, body }) =>
        `POST ${path} ${answered < 300 ? green(String(answered)) : red(String(answered))} ` +
        `${dim(`webhook-id ${webhookId}, signature ${isSignatureValid ? 'valid' : 'NOT valid'}`)}\n  ${JSON.stringify(body)}`,
    ),
    heading('Execution log'),
    ...report.executions.map(executionText),
    heading('Expected'),
    ...report.expectations.map(({ says, isMet, found }) =>
      isMet ? `${green('yes')} ${says}` : `${red('NO')}  ${says}\n    found ${found}`,
    ),
    '',
    dim(report.steps.map(({ says, ms }) => `${says}: ${ms} ms`).join('\n')),
  ].join('\n');
}

function heading(text: string): string {
  return `\n${bold(text)}\n${'-'.repeat(text.length)}`;
}

function squeeze(sql: string): string {
  return sql.replaceAll(/\s+/g, ' ').trim();
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
