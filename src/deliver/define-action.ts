import type { z } from 'zod';
import { namePattern } from '../model/event.ts';
import type { Recipient } from '../model/recipient.ts';
import { err, ok } from '../model/result.ts';
import type { DeliveryOutcome } from '../model/retry.ts';
import { strictSchema } from '../model/strict-schema.ts';
import type { ActionHandler, AttemptContext } from './action.ts';
import { createActionTemplates, messageData, messageRoots, templateFailed } from './actions/action-templates.ts';
import type { JsonTemplate } from './render/compile-json-template.ts';
import type { Template, TemplateOptions } from './render/compile-template.ts';

/** An action type of the host's own. */
export type ActionDeclaration<Config> = {
  /** What tenants write as `type`: letters, digits, `_`, `-` and `.`. */
  readonly type: string;
  /** What tenants write beside what every action has. Unknown fields are refused, also by a plain `z.object`. */
  readonly schema: z.ZodType<Config>;
  /** One delivery per recipient, or one per execution. */
  readonly audience: 'recipients' | 'once';
  /**
   * One attempt. Receives the configuration with its templates rendered. Answer what came of it; a throw counts as
   * `retry` with the reason `handler_failed`. Stop when `context.signal` aborts, and hand on `context.deliveryId`, which
   * is the same for every attempt, so that a duplicate can be told.
   */
  readonly deliver: (config: Config, context: AttemptContext) => DeliveryOutcome | Promise<DeliveryOutcome>;
  /**
   * Fields of the configuration that are templates, and where their text goes. `json` takes any JSON value and treats
   * its strings as templates; the others take strings. A template that does not parse is refused when it is saved.
   */
  readonly templates?: { readonly [Field in keyof Config & string]?: TemplateOptions['sink'] };
  /** Why this recipient cannot be told (`no_address`), or null. Asked before the delivery is planned. */
  readonly refuses?: (recipient: Recipient) => string | null;
  /** Milliseconds one attempt may take unless the workflow says so. Default: 15 s. */
  readonly defaultTimeoutMs?: number;
};

/**
 * Declares an action type, to be given to `createTocsin({ actions })` or `registerActionHandler`.
 *
 * @throws when the type is not a name
 */
export function defineAction<Config extends object>(declaration: ActionDeclaration<Config>): ActionHandler<Config> {
  const { type, schema, audience, refuses, defaultTimeoutMs = 15_000 } = declaration;
  if (!namePattern.test(type)) {
    throw new Error(`action type "${type}" is not a name: use letters, digits, "_", "-" and "."`);
  }
  return {
    type,
    schema: strictSchema(schema),
    audience,
    defaultTimeoutMs,
    compile: (config, { path }) => {
      const templates = createActionTemplates(messageRoots);
      const fields = Object.entries(config as Record<string, unknown>).flatMap(([name, value]) => {
        const sink = (declaration.templates as Record<string, TemplateOptions['sink'] | undefined> | undefined)?.[name];
        if (sink === undefined || value === undefined) return [];
        const at = `${path}.${name}`;
        return [
          {
            name,
            template: sink === 'json' ? templates.json(value, at) : templates.text(String(value), { sink, path: at }),
          },
        ];
      });
      if (templates.issues.length > 0) return err(templates.issues);
      return ok({
        kind: 'external',
        reads: templates.reads,
        references: templates.references,
        ...(refuses ? { refuses } : {}),
        deliver: async (context) => {
          const rendered = renderFields(fields, messageData(context));
          return rendered.ok ? declaration.deliver({ ...config, ...rendered.value }, context) : rendered.error;
        },
      });
    },
  };
}

type TemplateField = { readonly name: string; readonly template: Template | JsonTemplate };

function renderFields(fields: readonly TemplateField[], data: Record<string, unknown>) {
  const rendered: Record<string, unknown> = {};
  for (const { name, template } of fields) {
    const result = template.render(data);
    if (!result.ok) return err(templateFailed(name, result.error));
    rendered[name] = result.value;
  }
  return ok(rendered);
}
