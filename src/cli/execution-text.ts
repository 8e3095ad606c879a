import type { DeliveryLog, ExecutionDetail } from '../log/execution-log.ts';
import type { ConditionTrace } from '../model/condition.ts';
import type { ExecutionStatus, RecipientTrace } from '../model/execution.ts';
import { stringifyJson } from '../model/json.ts';
import { reasonSentence } from '../model/reason.ts';
import { bold, dim, green, red, yellow } from './output.ts';

/** A status in the colour of its kind. */
export function statusText(status: ExecutionStatus): string {
  switch (status) {
    case 'success':
      return green(status);
    case 'failed':
      return red(status);
    case 'partial':
    case 'running':
    case 'pending':
      return yellow(status);
    case 'skipped':
    case 'cancelled':
      return dim(status);
  }
}

/** One execution for a terminal: what it was about, each condition, each recipient told or not, each attempt. */
export function executionText(execution: ExecutionDetail): string {
  const {
    workflowName,
    workflowVersion,
    workflowPausedReason: paused,
    status,
    sentence,
    event,
    trace,
    deliveries,
    durationMs,
  } = execution;
  const duration = durationMs === null ? '' : ` in ${durationMs} ms`;
  const about = event ? `${event.entityType} ${event.operation} ${event.entityId}` : 'an event that is no longer kept';
  return [
    `${bold(workflowName)} ${dim(`version ${workflowVersion}`)} on ${about}: ${statusText(status)}${duration} ${dim(execution.id)}`,
    ...(sentence ? [`  ${sentence}`] : []),
    ...(paused ? [`  ${yellow('the workflow is paused')}: ${reasonSentence(paused)}`] : []),
    ...(trace.causation ? [`  ${dim('after workflows')} ${trace.causation.join(' > ')}`] : []),
    ...trace.conditions.map((condition) => conditionText(condition, '  ')),
    ...trace.actions.flatMap((action) => [
      ...(action.reason ? [`  ${dim('-')} ${action.type}: ${reasonSentence(action.reason)}`] : []),
      ...(action.conditions ?? []).map((condition) => conditionText(condition, '    ')),
      ...(action.recipients ?? []).filter((part) => part.reason !== undefined).map((part) => partText(part)),
    ]),
    ...deliveries.flatMap(deliveryText),
  ].join('\n');
}

function conditionText(condition: ConditionTrace, indent: string): string {
  const marks = { true: green('+'), false: red('-'), error: red('!'), deferred: dim('?') };
  const mark = marks[String(condition.result) as keyof typeof marks];
  const found = condition.actual === undefined ? '' : ` ${dim(`found ${foundText(condition.actual)}`)}`;
  const error = condition.error ? ` ${red(condition.error)}` : '';
  const expected = condition.expected === undefined ? '' : ` ${wordsOf(condition.expected)}`;
  const children = (condition.children ?? []).map((child) => `\n${conditionText(child, `${indent}  `)}`).join('');
  return `${indent}${mark} ${condition.name ?? condition.type}${expected}${found}${error}${children}`;
}

function wordsOf(value: unknown): string {
  return typeof value === 'string' ? value : stringifyJson(value);
}

/** What was found: a text in quotes, or as it is where it is a sentence that quotes. */
function foundText(value: unknown): string {
  const written = stringifyJson(value);
  return written.includes('\\"') ? written.slice(1, -1).replaceAll('\\"', '"') : written;
}

function partText(part: RecipientTrace): string {
  const error = part.error ? ` (${part.error})` : '';
  return `  ${dim('-')} recipients by ${part.type}: ${reasonSentence(part.reason ?? '')}${error}`;
}

function deliveryText(delivery: DeliveryLog): string[] {
  const mark = delivery.status === 'delivered' ? green('>') : delivery.status === 'dead' ? red('x') : dim('-');
  const to = delivery.recipientId === null ? '' : ` to ${delivery.recipientId}`;
  const why = delivery.sentence ? `: ${delivery.sentence}` : '';
  const attempts =
    delivery.attempts.length > 1 || delivery.status === 'dead'
      ? delivery.attempts.map(
          ({ attempt, outcome, reason, durationMs, detail }) =>
            `      attempt ${attempt}: ${outcome}${reason ? ` (${reason})` : ''} in ${durationMs} ms ${dim(detail ? stringifyJson(detail) : '')}`,
        )
      : [];
  return [`  ${mark} ${delivery.action.name ?? delivery.action.type}${to} ${delivery.status}${why}`, ...attempts];
}
