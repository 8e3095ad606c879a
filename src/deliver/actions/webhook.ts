import { z } from 'zod';
import type { Issue } from '../../errors.ts';
import { causationHeader } from '../../model/causation.ts';
import { stringifyJson } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { DeliveryOutcome } from '../../model/retry.ts';
import type { ActionHandler, AttemptContext, HttpRequest } from '../action.ts';
import type { JsonTemplate } from '../render/compile-json-template.ts';
import type { Template } from '../render/compile-template.ts';
import { parseHttpUrl } from '../transports/http-url.ts';
import { createActionTemplates, messageData, messageRoots, templateFailed } from './action-templates.ts';
import { checkHeaderNames, headerValueProblem } from './webhook-headers.ts';
import { readSigningKeys, signatureHeaders } from './webhook-signature.ts';

const webhookConfig = z.strictObject({
  /** http or https; the host stands in the text, values may follow it. */
  url: z.string().min(1).max(4_000),
  method: z.enum(['POST', 'PUT', 'PATCH', 'GET', 'DELETE']).default('POST'),
  headers: z.record(z.string(), z.string().max(4_096)).default({}),
  /** Any JSON; strings are templates. Default: the event, unless the method is GET or DELETE. */
  payload: z.json().optional(),
  /** Name of the secret that holds the `whsec_` key or keys to sign with. */
  signingSecret: z.string().min(1).max(64).optional(),
});
type WebhookConfig = z.output<typeof webhookConfig>;

/** Everything of one webhook action that is compiled when its workflow is. */
type CompiledWebhook = {
  readonly url: Template;
  readonly method: HttpRequest['method'];
  readonly headers: readonly (readonly [name: string, value: Template])[];
  readonly payload: JsonTemplate | 'event' | null;
  readonly signingSecret: string | null;
  /** Every secret the templates and the signature need. */
  readonly secretNames: readonly string[];
};

const mostSecrets = 20;

/** What a webhook may be made of: it goes out once for all recipients, so it knows none. */
const webhookRoots = messageRoots.filter((root) => root !== 'recipient');

/** Calls a URL once per execution with the event or a payload of one's own, signed if wished (Standard Webhooks). */
export const webhookAction: ActionHandler<WebhookConfig> = {
  type: 'webhook',
  schema: webhookConfig,
  audience: 'once',
  defaultTimeoutMs: 15_000,
  compile: (config, { path }) => {
    const { method, payload, signingSecret = null } = config;
    const open = createActionTemplates(webhookRoots);
    const withSecrets = createActionTemplates([...webhookRoots, 'secret']);
    const url = open.text(config.url, { sink: 'url', path: `${path}.url` });
    const headers = Object.entries(config.headers).map(
      ([name, value]) => [name, withSecrets.text(value, { sink: 'line', path: `${path}.headers.${name}` })] as const,
    );
    const hasBody = method !== 'GET' && method !== 'DELETE';
    const body = payload === undefined ? null : withSecrets.json(payload, `${path}.payload`);
    const issues = [
      ...open.issues,
      ...checkFixedUrl(config.url, path),
      ...checkHeaderNames(config.headers, `${path}.headers`),
      ...withSecrets.issues,
    ];
    if (method === 'GET' && body !== null) {
      issues.push({ path: `${path}.payload`, message: 'a GET request has no payload' });
    }
    const references = [...withSecrets.references];
    if (signingSecret !== null) references.push({ kind: 'secret', name: signingSecret, path: `${path}.signingSecret` });
    const secretNames = [...new Set(references.map(({ name }) => name))];
    if (secretNames.length > mostSecrets) {
      issues.push({ path, message: `a webhook uses at most ${mostSecrets} secrets: each is opened for every attempt` });
    }
    if (issues.length > 0) return err(issues);
    const webhook: CompiledWebhook = {
      url,
      method,
      headers,
      payload: body ?? (hasBody ? 'event' : null),
      signingSecret,
      secretNames,
    };
    return ok({
      kind: 'external',
      reads: [...open.reads, ...withSecrets.reads],
      references,
      deliver: (context) => callWebhook(webhook, context),
    });
  },
};

/** A URL without values can be checked as a whole when it is saved; one with values when it is rendered. */
function checkFixedUrl(url: string, path: string): Issue[] {
  if (url.includes('{')) return [];
  const parsed = parseHttpUrl(url);
  return parsed.ok ? [] : [{ path: `${path}.url`, message: `the URL ${parsed.error}` }];
}

async function callWebhook(webhook: CompiledWebhook, context: AttemptContext): Promise<DeliveryOutcome> {
  const open = messageData(context);
  const url = webhook.url.render(open);
  if (!url.ok) return templateFailed('url', url.error);
  const secrets = new Map<string, string>();
  for (const name of webhook.secretNames) {
    const opened = await context.secret(name, url.value);
    if (!opened.ok) return { status: 'failed', reason: opened.error, detail: { secret: name } };
    secrets.set(name, opened.value);
  }
  const data = secrets.size === 0 ? open : { ...open, secret: Object.fromEntries(secrets) };
  const request = writeRequest({ webhook, context, url: url.value, data, secrets });
  return request.ok ? context.transports.sendHttp(request.value, context.signal) : request.error;
}

/** What one request is made of. */
type Call = {
  readonly webhook: CompiledWebhook;
  readonly context: AttemptContext;
  readonly url: string;
  /** What its templates read. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly secrets: ReadonlyMap<string, string>;
};

function writeRequest(call: Call): Result<HttpRequest, DeliveryOutcome> {
  const { webhook, context, url, secrets } = call;
  const body = writeBody(call);
  if (!body.ok) return body;
  const headers = writeHeaders(call);
  if (!headers.ok) return headers;
  const keys = signingKeys(call);
  if (!keys.ok) return keys;
  const id = context.deliveryId;
  const signature = signatureHeaders({ id, now: context.now, body: body.value ?? '', keys: keys.value });
  return ok({
    url,
    method: webhook.method,
    headers: { ...headers.value, ...signature },
    body: body.value,
    isConfidential: secrets.size > 0,
  });
}

function writeBody({ webhook, context, data }: Call): Result<string | null, DeliveryOutcome> {
  if (webhook.payload === null) return ok(null);
  if (webhook.payload === 'event') {
    const { payload, previous, changed } = context.event;
    return writeRecord({ event: data.event, payload, previous, changed });
  }
  const rendered = webhook.payload.render(data);
  return rendered.ok ? ok(stringifyJson(rendered.value)) : err(templateFailed('payload', rendered.error));
}

function writeRecord(record: object): Result<string, DeliveryOutcome> {
  try {
    return ok(stringifyJson(record));
  } catch (error) {
    // The stack: a record of many thousand levels.
    if (!(error instanceof RangeError)) throw error;
    const message = 'the record is nested too deep to be sent whole: name what to send in "payload"';
    return err(templateFailed('payload', { code: 'value_too_deep', message }));
  }
}

function writeHeaders({ webhook, context, data }: Call): Result<Record<string, string>, DeliveryOutcome> {
  const headers: Record<string, string> = { 'user-agent': 'Tocsin', [causationHeader]: context.causation };
  if (webhook.payload !== null) headers['content-type'] = 'application/json';
  for (const [name, template] of webhook.headers) {
    const part = `headers.${name}`;
    const value = template.render(data);
    if (!value.ok) return err(templateFailed(part, value.error));
    const error = headerValueProblem(value.value);
    if (error !== null) return err({ status: 'failed', reason: 'template_error', detail: { part, error } });
    headers[name.toLowerCase()] = value.value.trim();
  }
  return ok(headers);
}

function signingKeys({ webhook, secrets }: Call): Result<readonly Buffer[], DeliveryOutcome> {
  const secret = webhook.signingSecret;
  const keys = secret === null ? [] : readSigningKeys(secrets.get(secret) ?? '');
  if (keys !== null) return ok(keys);
  const error = 'the secret holds no key for signing: store whsec_ followed by 24 to 64 bytes in Base64';
  return err({ status: 'failed', reason: 'secret_missing', detail: { secret, error } });
}
