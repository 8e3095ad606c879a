import type { Issue } from '../../errors.ts';
import { eventData } from '../../model/event.ts';
import { type FieldRead, fieldRoots } from '../../model/field-path.ts';
import { recipientData } from '../../model/recipient.ts';
import { ok } from '../../model/result.ts';
import type { DeliveryOutcome } from '../../model/retry.ts';
import type { ActionReference, MessageContext } from '../action.ts';
import { compileJsonTemplate, type JsonTemplate } from '../render/compile-json-template.ts';
import { compileTemplate, type Template, type TemplateOptions } from '../render/compile-template.ts';
import { type TemplateError, templateMessage } from '../render/template-error.ts';

/** What every message may be made of, in the order in which an error lists it. */
export const messageRoots = ['payload', 'previous', 'event', 'recipient', 'workflow'] as const;

/** What the parts of a mail may read beside that: the link by which the recipient opts out, or null. */
export const mailRoots = [...messageRoots, 'unsubscribe_url'] as const;

/** A message's context as the data its templates read; `more` are names beside the usual ones. */
export function messageData(context: MessageContext, more: Record<string, unknown> = {}): Record<string, unknown> {
  const { event, recipient, workflow } = context;
  let data: ReturnType<typeof eventData> | undefined;
  return {
    ...more,
    payload: event.payload,
    previous: event.previous,
    // Few templates read it.
    get event() {
      data ??= eventData(event);
      return data;
    },
    recipient: recipient && recipientData(recipient),
    workflow,
  };
}

/** Compiles the templates of one action and gathers what is wrong with them and what they read. */
export type ActionTemplates = {
  /** A template at a path of the definition. What is wrong with it becomes an issue; the answer then renders nothing. */
  readonly text: (source: string, target: { sink: TemplateOptions['sink']; path: string }) => Template;
  /** A JSON value whose strings are templates. */
  readonly json: (value: unknown, path: string) => JsonTemplate;
  readonly issues: Issue[];
  readonly reads: FieldRead[];
  readonly references: ActionReference[];
};

/** @param roots top-level names the templates may use; `secret` makes references of the names below it */
export function createActionTemplates(roots: readonly string[]): ActionTemplates {
  const issues: Issue[] = [];
  const reads: FieldRead[] = [];
  const references: ActionReference[] = [];

  function note(paths: Template['paths'], path: string): void {
    for (const segments of paths) {
      const [root, name] = segments;
      if (root === 'secret' && name === undefined) {
        issues.push({ path, message: 'name the secret as in {{ secret.api_key }}' });
      } else if (root === 'secret' && name !== undefined) {
        references.push({ kind: 'secret', name, path });
      } else if (name !== undefined && (fieldRoots as readonly string[]).includes(root ?? '')) {
        reads.push({ path, segments });
      }
    }
  }

  return {
    issues,
    reads,
    references,
    text: (source, { sink, path }) => {
      const compiled = compileTemplate(source, { sink, roots });
      if (compiled.ok) {
        note(compiled.value.paths, path);
        return compiled.value;
      }
      issues.push({ path, message: templateMessage(compiled.error) });
      return { paths: [], render: () => ok('') };
    },
    json: (value, path) => {
      const compiled = compileJsonTemplate(value, { roots, path });
      if (compiled.ok) {
        note(compiled.value.paths, path);
        return compiled.value;
      }
      issues.push({ path: compiled.error.path ?? path, message: templateMessage(compiled.error) });
      return { paths: [], render: () => ok(null) };
    },
  };
}

/** The outcome of a delivery whose message could not be rendered; `part` names the part of the action. */
export function templateFailed(part: string, error: TemplateError): DeliveryOutcome {
  return {
    status: 'failed',
    reason: 'template_error',
    detail: { part: error.path ?? part, error: templateMessage(error) },
  };
}
