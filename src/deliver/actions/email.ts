import type { Json } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { DeliveryOutcome } from '../../model/retry.ts';
import type { ActionHandler, AttemptContext } from '../action.ts';
import type { JsonTemplate } from '../render/compile-json-template.ts';
import type { Template } from '../render/compile-template.ts';
import { isMailAddress } from '../transports/mail-address.ts';
import { createActionTemplates, mailRoots, messageData, templateFailed } from './action-templates.ts';
import { checkEmail, type EmailConfig, emailConfig } from './email-config.ts';
import {
  createStoredTemplateCompiler,
  type MailContent,
  type MailPartError,
  type MailTemplates,
  renderMail,
} from './mail-content.ts';

/** Everything of one email action that is compiled when its workflow is. */
type CompiledEmail = {
  readonly own: MailTemplates;
  readonly stored: {
    readonly name: string;
    readonly variables: JsonTemplate;
    readonly roots: readonly string[];
  } | null;
  readonly fromName: Template | null;
  readonly replyTo: Template | null;
};

const compileStoredTemplate = createStoredTemplateCompiler();

/** Sends each recipient a mail of their own, from a stored template or from a body in the workflow itself. */
export const emailAction: ActionHandler<EmailConfig> = {
  type: 'email',
  schema: emailConfig,
  audience: 'recipients',
  defaultTimeoutMs: 30_000,
  compile: (config, { path }) => {
    const templates = createActionTemplates(mailRoots);
    templates.issues.push(...checkEmail(config, path));
    const part = (name: 'subject' | 'html' | 'text' | 'fromName' | 'replyTo', sink: 'line' | 'html' | 'text') => {
      const source = config[name];
      return source === undefined ? null : templates.text(source, { sink, path: `${path}.${name}` });
    };
    const compileStored = (name: string, variables: Readonly<Record<string, unknown>>) => {
      templates.references.push({ kind: 'template', name, path: `${path}.template` });
      const roots = [...Object.keys(variables), ...mailRoots];
      return { name, roots, variables: templates.json(variables, `${path}.variables`) };
    };
    const email: CompiledEmail = {
      own: { subject: part('subject', 'line'), html: part('html', 'html'), text: part('text', 'text') },
      fromName: part('fromName', 'line'),
      replyTo: part('replyTo', 'line'),
      stored: config.template === undefined ? null : compileStored(config.template, config.variables ?? {}),
    };
    if (templates.issues.length > 0) return err(templates.issues);
    const { reads, references } = templates;
    return ok({
      kind: 'external',
      reads,
      references,
      refuses: (recipient) => refusal(recipient.email),
      deliver: (context) => deliverMail(email, context),
    });
  },
};

function refusal(address: string | null): 'no_address' | 'invalid_address' | null {
  if (address === null || address.trim() === '') return 'no_address';
  return isMailAddress(address) ? null : 'invalid_address';
}

async function deliverMail(email: CompiledEmail, context: AttemptContext): Promise<DeliveryOutcome> {
  const { recipient, deliveryId, signal, transports } = context;
  const address = recipient?.email ?? '';
  const refused = refusal(address);
  if (refused !== null) return { status: 'failed', reason: refused };
  const content = await writeContent(email, context);
  if (!content.ok) return content.error;
  const { subject, html, text } = content.value;
  if (subject === null) return failed('subject', 'neither the action nor the stored template has a subject');
  const sender = writeSender(email, mailData(context));
  if (!sender.ok) return sender.error;
  const to = { name: recipient?.name ?? null, address };
  return transports.sendMail({ deliveryId, to, ...sender.value, subject, html, text }, signal);
}

async function writeContent(
  email: CompiledEmail,
  context: AttemptContext,
): Promise<Result<MailContent, DeliveryOutcome>> {
  const { own, stored } = email;
  const data = mailData(context);
  if (stored === null) return orFailed(renderMail(own, data), '');
  const found = await context.storedTemplate(stored.name);
  if (found === null) return err({ status: 'failed', reason: 'template_missing', detail: { template: stored.name } });
  const templates = compileStoredTemplate({ tenantId: context.tenantId, stored: found, roots: stored.roots });
  if (!templates.ok) return orFailed(templates, `${stored.name}.`);
  const variables = stored.variables.render(data);
  if (!variables.ok) return err(templateFailed('variables', variables.error));
  const parts = { ...templates.value, subject: own.subject ?? templates.value.subject };
  return orFailed(renderMail(parts, mailData(context, variables.value as Record<string, Json>)), `${stored.name}.`);
}

function mailData(context: AttemptContext, variables: Record<string, Json> = {}): Record<string, unknown> {
  return messageData(context, { ...variables, unsubscribe_url: context.unsubscribeUrl });
}

function orFailed<T>(result: Result<T, MailPartError>, prefix: string): Result<T, DeliveryOutcome> {
  return result.ok ? result : err(templateFailed(`${prefix}${result.error.part}`, result.error.error));
}

function writeSender(
  email: CompiledEmail,
  data: Record<string, unknown>,
): Result<{ fromName: string | null; replyTo: string | null }, DeliveryOutcome> {
  const fromName = email.fromName?.render(data) ?? ok(null);
  if (!fromName.ok) return err(templateFailed('fromName', fromName.error));
  const replyTo = email.replyTo?.render(data) ?? ok('');
  if (!replyTo.ok) return err(templateFailed('replyTo', replyTo.error));
  const address = replyTo.value.trim();
  if (address !== '' && !isMailAddress(address)) return err(failed('replyTo', 'this is not one mail address'));
  return ok({ fromName: fromName.value, replyTo: address === '' ? null : address });
}

function failed(part: string, error: string): DeliveryOutcome {
  return { status: 'failed', reason: 'template_error', detail: { part, error } };
}
