import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compileRecipient } from '../../src/execute/compile-recipient.ts';
import { defineRecipient } from '../../src/execute/define-recipient.ts';
import type { RecipientResolver } from '../../src/execute/recipient.ts';
import { HandlerFamily } from '../../src/handlers.ts';
import { unwrap } from '../../src/model/result.ts';
import { memoryDirectory } from '../support/memory-directory.ts';
import { sampleEvent } from '../support/sample-event.ts';

const onCall = defineRecipient({
  type: 'on_call',
  schema: z.object({ team: z.string().min(1), depth: z.number().int().default(1) }),
  resolve: async ({ team, depth }, { tenantId }) => [`${tenantId}-${team}-${depth}`],
});

const family = new HandlerFamily<RecipientResolver>('recipient');
family.register(onCall);
const context = { path: 'recipients[2]', entityTypes: [] };

describe('defineRecipient', () => {
  test('resolves with the configuration as its schema reads it', async () => {
    const compiled = unwrap(compileRecipient(family, { partId: 'p', type: 'on_call', team: 'db' }, context));
    if (compiled.kind !== 'custom') throw new Error('expected a custom recipient');
    const event = sampleEvent();
    const { signal } = new AbortController();
    const directory = memoryDirectory([]);
    expect(await compiled.resolve({ event, tenantId: event.tenantId, directory, signal })).toEqual(['acme-db-1']);
  });

  test('refuses unknown fields although the schema is a plain object', () => {
    const compiled = compileRecipient(family, { partId: 'p', type: 'on_call', team: 'db', dept: 2 }, context);
    expect(compiled).toMatchObject({
      ok: false,
      error: [{ path: 'recipients[2].dept', didYouMean: 'depth', allowed: ['team', 'depth'] }],
    });
  });

  test('refuses a type that is not a name', () => {
    const declare = () => defineRecipient({ type: 'on call', schema: z.object({}), resolve: async () => [] });
    expect(declare).toThrow('recipient type "on call" is not a name');
  });
});
