import { compileTemplate, type Template, type TemplateOptions } from '../../../src/deliver/render/compile-template.ts';
import type { TemplateError } from '../../../src/deliver/render/template-error.ts';

/** A template that must compile; text sink if none is named. */
export function compiled(source: string, options: Partial<TemplateOptions> = {}): Template {
  const template = compileTemplate(source, { sink: 'text', ...options });
  if (!template.ok) throw new Error(`${source}: ${template.error.message}`);
  return template.value;
}

/** The text of a template that must compile and render. */
export function rendered(
  source: string,
  context: Record<string, unknown> = {},
  options: Partial<TemplateOptions> = {},
): string {
  const text = compiled(source, options).render(context);
  if (!text.ok) throw new Error(`${source}: ${text.error.message}`);
  return text.value;
}

/** The error of a template that must be refused at save. */
export function refused(source: string, options: Partial<TemplateOptions> = {}): TemplateError {
  const template = compileTemplate(source, { sink: 'text', ...options });
  if (template.ok) throw new Error(`${source}: was not refused`);
  return template.error;
}

/** The error of a render that must be ended. */
export function ended(source: string, context: Record<string, unknown> = {}): TemplateError {
  const text = compiled(source).render(context);
  if (text.ok) throw new Error(`${source}: was not ended but rendered ${text.value.slice(0, 100)}`);
  return text.error;
}
