import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { workflowInput } from '../../src/model/workflow.ts';
import { canonicalJson, identifyParts, repeatedPartIds } from '../../src/service/part-ids.ts';

const uuid = /^[0-9a-f-]{36}$/;

function parts(written: Record<string, unknown> = {}) {
  return workflowInput.parse({
    name: 'w',
    triggers: [
      { entityType: 'order', operation: 'insert' },
      { entityType: 'order', operation: 'update' },
    ],
    conditions: [{ type: 'a', value: 1 }],
    actions: [
      {
        type: 'mail',
        subject: 's',
        conditions: [{ type: 'a', value: 2 }],
        recipients: [{ type: 'user', id: 'u' }],
      },
    ],
    recipients: [{ type: 'role', id: 'admin' }],
    ...written,
  });
}

describe('canonicalJson', () => {
  test('is the same text whatever the order of keys, and another for another value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
    expect(canonicalJson({ a: [1, 2] })).not.toBe(canonicalJson({ a: [2, 1] }));
    expect(canonicalJson({ a: 2n ** 60n })).toBe('{"a":1152921504606846976}');
  });
});

describe('identifyParts', () => {
  test('gives every part an id of its own, in actions too', () => {
    const identified = identifyParts(parts());
    const [action] = identified.actions;
    const ids = [
      ...identified.triggers,
      ...identified.conditions,
      ...identified.actions,
      ...(action?.conditions ?? []),
      ...(action?.recipients ?? []),
      ...identified.recipients,
    ].map((part) => part.partId);
    expect(ids).toHaveLength(7);
    expect(new Set(ids).size).toBe(7);
    for (const id of ids) expect(id).toMatch(uuid);
  });

  test('keeps given ids', () => {
    const identified = identifyParts(parts({ recipients: [{ partId: 'mine', type: 'role', id: 'admin' }] }));
    expect(identified.recipients[0]?.partId).toBe('mine');
  });

  test('keeps the ids of parts that are as they were, wherever they stand now', () => {
    const before = identifyParts(parts());
    const written = parts();
    const after = identifyParts({ ...written, triggers: written.triggers.toReversed() }, before);
    expect(after.triggers.map((part) => part.partId)).toEqual(before.triggers.map((part) => part.partId).toReversed());
    expect(after.conditions).toEqual(before.conditions);
    expect(after.actions).toEqual(before.actions);
    expect(after.recipients).toEqual(before.recipients);
  });

  test('gives a part that changed a new id and leaves the parts inside it theirs', () => {
    const before = identifyParts(parts());
    const written = parts();
    const after = identifyParts({ ...written, actions: written.actions.map((a) => ({ ...a, subject: 't' })) }, before);
    expect(after.actions[0]?.partId).not.toBe(before.actions[0]?.partId);
    expect(after.actions[0]?.conditions).toEqual(before.actions[0]?.conditions);
    expect(after.actions[0]?.recipients).toEqual(before.actions[0]?.recipients);
  });

  test('never gives an id twice: not one of equal parts, and not one that somebody else was given', () => {
    const twice = [
      { type: 'role', id: 'admin' },
      { type: 'role', id: 'admin' },
    ];
    const before = identifyParts(parts({ recipients: twice }));
    const ids = before.recipients.map((part) => part.partId);
    const again = identifyParts(parts({ recipients: twice }), before).recipients.map((part) => part.partId);
    expect(again).toEqual(ids);
    const taken = { partId: ids[0], type: 'role', id: 'other' };
    const after = identifyParts(parts({ recipients: [taken, ...twice] }), before).recipients.map((part) => part.partId);
    expect(after.slice(0, 2)).toEqual([ids[0], ids[1]]);
    expect(new Set(after).size).toBe(3);
  });
});

describe('repeatedPartIds', () => {
  test('names the second place of an id, also across kinds and inside actions', () => {
    const issues = repeatedPartIds(
      parts({
        conditions: [{ partId: 'p', type: 'a' }],
        actions: [{ partId: 'q', type: 'mail', conditions: [{ partId: 'p', type: 'a' }] }],
        recipients: [{ partId: 'q', type: 'role' }],
      }),
    );
    expect(issues).toEqual([
      { path: 'actions[0].conditions[0].partId', message: '"p" is also the id of conditions[0]: leave it out here' },
      { path: 'recipients[0].partId', message: '"q" is also the id of actions[0]: leave it out here' },
    ]);
  });
});
