import { z } from 'zod';
import { priorities } from '../../model/notification.ts';
import { err, ok } from '../../model/result.ts';
import type { ActionHandler } from '../action.ts';
import { createActionTemplates, messageData, messageRoots } from './action-templates.ts';

const longestTitle = 250;
const longestMessage = 10_000;

const notificationConfig = z.strictObject({
  title: z.string().min(1).max(2_000),
  message: z.string().min(1),
  priority: z.enum(priorities).default('medium'),
  /** Where a click leads: http, https, or relative to the product. */
  link: z.string().min(1).optional(),
});

/** Writes an in-app notification for each recipient: title, message, priority and link. */
export const notificationAction: ActionHandler<z.output<typeof notificationConfig>> = {
  type: 'notification',
  schema: notificationConfig,
  audience: 'recipients',
  defaultTimeoutMs: 10_000,
  compile: (config, { path }) => {
    const templates = createActionTemplates(messageRoots);
    const title = templates.text(config.title, { sink: 'line', path: `${path}.title` });
    const message = templates.text(config.message, { sink: 'text', path: `${path}.message` });
    const link = config.link === undefined ? null : templates.text(config.link, { sink: 'url', path: `${path}.link` });
    if (config.link !== undefined && !config.link.includes('{') && !isLink(config.link)) {
      templates.issues.push({
        path: `${path}.link`,
        message: 'write an http or https address, or one relative to the product',
      });
    }
    if (templates.issues.length > 0) return err(templates.issues);
    const paths = [title, message, link].flatMap((template) => template?.paths ?? []);
    return ok({
      kind: 'inbox',
      isPersonal: paths.some(([root]) => root === 'recipient'),
      reads: templates.reads,
      references: templates.references,
      compose: (context) => {
        const data = messageData(context);
        const rendered = {
          title: title.render(data),
          message: message.render(data),
          link: link?.render(data) ?? ok(null),
        };
        if (!rendered.title.ok || !rendered.message.ok || !rendered.link.ok) return err('template_error');
        if (rendered.link.value !== null && !isLink(rendered.link.value)) return err('link_not_allowed');
        return ok({
          title: shorten(rendered.title.value.trim(), longestTitle),
          message: shorten(rendered.message.value, longestMessage),
          priority: config.priority,
          link: rendered.link.value,
        });
      },
    });
  },
};

/** Whether a browser that follows this stays with http or https. */
function isLink(text: string): boolean {
  if (text.length > 2_048 || /[\p{Cc}\s\\]/u.test(text) || !URL.canParse(text, 'https://relative.invalid/'))
    return false;
  const url = new URL(text, 'https://relative.invalid/');
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
}

/** At most `longest` characters, without what PostgreSQL cannot hold. */
function shorten(text: string, longest: number): string {
  const storable = text.replaceAll('\0', '').toWellFormed();
  return storable.length > longest ? `${storable.slice(0, longest - 1).toWellFormed()}…` : storable;
}
