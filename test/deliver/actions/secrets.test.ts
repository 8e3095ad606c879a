import { describe, expect, test } from 'vitest';
import { emailAction } from '../../../src/deliver/actions/email.ts';
import { notificationAction } from '../../../src/deliver/actions/notification.ts';
import { webhookAction } from '../../../src/deliver/actions/webhook.ts';
import { err, ok } from '../../../src/model/result.ts';
import { attemptContext, compileAction, externalAction } from './attempt.ts';

const value = 'x {{ secret.api_key }}';
const bound = { headers: { 'X-Key': '{{ secret.api_key }}' } };

describe('{{ secret.name }}', () => {
  test.each([
    ['title of a notification', notificationAction, { title: value, message: 'm' }, 'title'],
    ['message of a notification', notificationAction, { title: 't', message: value }, 'message'],
    ['link of a notification', notificationAction, { title: 't', message: 'm', link: '/{{ secret.api_key }}' }, 'link'],
    ['subject of a mail', emailAction, { subject: value, text: 't' }, 'subject'],
    ['text of a mail', emailAction, { subject: 's', text: value }, 'text'],
    ['HTML of a mail', emailAction, { subject: 's', html: `<p>${value}</p>` }, 'html'],
    ['URL of a webhook', webhookAction, { url: 'https://example.com/{{ secret.api_key }}' }, 'url'],
    ['name of a header', webhookAction, { url: 'https://example.com/', headers: { [value]: 'x' } }, `headers.${value}`],
  ] as const)('is refused in the %s', (_name, handler, config, path) => {
    const { issues } = compileAction(handler as typeof webhookAction, config);
    expect(issues.map((issue) => issue.path)).toEqual([`actions[0].${path}`]);
  });

  test('is not sent to a host that it is not bound to: the delivery fails before a connection is made', async () => {
    const asked: (string | undefined)[] = [];
    const attempt = {
      ...attemptContext(),
      secret: async (_name: string, url?: string) => {
        asked.push(url);
        return url === 'https://good.example/hook' ? ok('token-1') : err('secret_not_allowed_here' as const);
      },
    };
    const elsewhere = externalAction(webhookAction, { ...bound, url: 'https://evil.example/hook' });
    expect(await elsewhere.deliver(attempt)).toEqual({
      status: 'failed',
      reason: 'secret_not_allowed_here',
      detail: { secret: 'api_key' },
    });
    const sent: unknown[] = [];
    const sendHttp = async (request: unknown) => {
      sent.push(request);
      return { status: 'delivered' as const };
    };
    const here = externalAction(webhookAction, { ...bound, url: 'https://good.example/hook' });
    const transports = { ...attempt.transports, sendHttp };
    expect(await here.deliver({ ...attempt, transports })).toEqual({ status: 'delivered' });
    expect(sent).toMatchObject([{ headers: { 'x-key': 'token-1' }, isConfidential: true }]);
    expect(asked).toEqual(['https://evil.example/hook', 'https://good.example/hook']);
  });

  test.each([
    ['a secret', bound.headers, true],
    ['none', { 'X-Key': 'open' }, false],
  ])('makes a request with %s confidential or not', async (_name, headers, isConfidential) => {
    const sent: { isConfidential?: boolean }[] = [];
    const transports = {
      sendMail: () => Promise.reject(new Error('no mail expected')),
      sendHttp: async (request: { isConfidential?: boolean }) => {
        sent.push(request);
        return { status: 'delivered' as const };
      },
    };
    const action = externalAction(webhookAction, { url: 'https://example.com/', headers });
    await action.deliver(attemptContext({ transports, secrets: { api_key: 'token-1' } }));
    expect(sent).toMatchObject([{ isConfidential }]);
  });
});
