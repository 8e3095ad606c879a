import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ActionDeclaration, defineAction } from '../../src/deliver/define-action.ts';
import { HandlerFamily, type Handlers } from '../../src/handlers.ts';
import { ada, attemptContext, compileAction, externalAction } from './actions/attempt.ts';

const chatConfig = z.object({
  channel: z.string(),
  text: z.string(),
  fields: z.record(z.string(), z.json()).optional(),
  silent: z.boolean().default(false),
});
type ChatConfig = z.output<typeof chatConfig>;

function chat(more: Partial<ActionDeclaration<ChatConfig>> = {}) {
  const seen: ChatConfig[] = [];
  const action = defineAction({
    type: 'chat',
    schema: chatConfig,
    audience: 'once',
    templates: { channel: 'line', text: 'text', fields: 'json' },
    deliver: (config) => {
      seen.push(config);
      return { status: 'delivered', detail: { channel: config.channel } };
    },
    ...more,
  });
  return { action, seen };
}

describe('defineAction', () => {
  test('gives the handler its configuration with the templates rendered', async () => {
    const { action, seen } = chat();
    const external = externalAction(action, {
      channel: '#{{ event.entity_type }}',
      text: 'Order {{ payload.order_id }} for {{ recipient.name }}',
      fields: { amount: '{{ payload.amount }}', note: 'was {{ previous.amount }}' },
    });
    expect(await external.deliver(attemptContext())).toEqual({ status: 'delivered', detail: { channel: '#order' } });
    expect(seen).toEqual([
      { channel: '#order', text: 'Order 7 for Ada Lovelace', fields: { amount: 12.5, note: 'was 10' }, silent: false },
    ]);
  });

  test('leaves fields that are no templates as they are written', async () => {
    const { action, seen } = chat({ templates: {} });
    await externalAction(action, { channel: '{{ payload.x }}', text: 't' }).deliver(attemptContext());
    expect(seen).toEqual([{ channel: '{{ payload.x }}', text: 't', silent: false }]);
  });

  test('gives the handler the id, the secrets and the transports of the attempt', async () => {
    const { action } = chat({
      deliver: async (_config, context) => ({
        status: 'retry',
        reason: 'busy',
        afterMs: 1_000,
        detail: {
          attempt: context.attempt,
          key: (await context.secret('key')).ok,
          none: await context.secret('none'),
        },
      }),
    });
    const outcome = await externalAction(action, { channel: 'c', text: 't' }).deliver(
      attemptContext({ attempt: 3, secrets: { key: 'k' } }),
    );
    expect(outcome).toEqual({
      status: 'retry',
      reason: 'busy',
      afterMs: 1_000,
      detail: { attempt: 3, key: true, none: { ok: false, error: 'secret_missing' } },
    });
  });

  test('refuses a template that does not parse and a field it does not know, with their places', () => {
    const { action } = chat();
    expect(
      compileAction(action, { channel: 'c', text: 'a\n{{ paylod.x }}', fields: { a: ['{{'] } }).issues,
    ).toMatchObject([
      { path: 'actions[0].text', message: '2:4: unknown name "paylod": did you mean "payload"?' },
      { path: 'actions[0].fields.a[0]' },
    ]);
    expect(compileAction(action, { chanel: 'c', text: 't' }).issues).toMatchObject([
      { path: 'actions[0].channel' },
      { path: 'actions[0].chanel', didYouMean: 'channel' },
    ]);
  });

  test('fails when a template cannot be rendered, without asking the handler', async () => {
    const { action, seen } = chat();
    const outcome = await externalAction(action, { channel: 'c', text: '{{ payload.huge }}' }).deliver(
      attemptContext(),
    );
    expect(outcome).toMatchObject({ status: 'failed', reason: 'template_error', detail: { part: 'text' } });
    expect(seen).toEqual([]);
  });

  test('lets what the handler throws through: the engine counts it as a try', async () => {
    const { action } = chat({ deliver: () => Promise.reject(new Error('no chat today')) });
    await expect(externalAction(action, { channel: 'c', text: 't' }).deliver(attemptContext())).rejects.toThrow(
      'no chat today',
    );
  });

  test('asks the handler whom it can tell', () => {
    const { action } = chat({
      audience: 'recipients',
      refuses: ({ attributes }) => (attributes.chat ? null : 'no_address'),
    });
    expect(action.audience).toBe('recipients');
    expect(externalAction(action, { channel: 'c', text: 't' }).refuses?.(ada)).toBe('no_address');
    expect(externalAction(chat().action, { channel: 'c', text: 't' }).refuses).toBeUndefined();
  });

  test('tells which fields it reads', () => {
    const { action } = chat();
    expect(externalAction(action, { channel: 'c', text: '{{ payload.customer.name }}' }).reads).toEqual([
      { path: 'actions[0].text', segments: ['payload', 'customer', 'name'] },
    ]);
  });

  test('has 15 seconds for an attempt unless told, and a type that is a name', () => {
    expect(chat().action.defaultTimeoutMs).toBe(15_000);
    expect(chat({ defaultTimeoutMs: 2_000 }).action.defaultTimeoutMs).toBe(2_000);
    expect(() => chat({ type: 'two words' })).toThrow(/action type "two words" is not a name/);
  });

  test('makes a handler that can be registered', () => {
    const actions: Handlers['actions'] = new HandlerFamily('action');
    const { action } = chat();
    actions.register(action);
    expect(actions.types()).toEqual(['chat']);
  });
});
