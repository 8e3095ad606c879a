import { z } from 'zod';
import type { Issue } from '../../errors.ts';
import { mailRoots } from './action-templates.ts';

/** What a workflow writes for an email action; every text is a template. */
export const emailConfig = z.strictObject({
  /** May be left out when the stored template has one. */
  subject: z.string().min(1).max(2_000).optional(),
  /** Name of a stored template. */
  template: z.string().min(1).max(200).optional(),
  /** What the stored template may read beside the usual names; strings are templates. */
  variables: z.record(z.string(), z.json()).optional(),
  html: z.string().min(1).optional(),
  text: z.string().min(1).optional(),
  /** Display name of the sender. */
  fromName: z.string().min(1).max(500).optional(),
  replyTo: z.string().min(1).max(500).optional(),
});
export type EmailConfig = z.output<typeof emailConfig>;

const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** What is wrong with how the parts of an email action go together; the templates themselves are compiled elsewhere. */
export function checkEmail(config: EmailConfig, path: string): Issue[] {
  const issues = config.template === undefined ? checkInline(config) : checkStored(config);
  if (config.fromName !== undefined && /[@\p{Cf}]/u.test(config.fromName)) {
    issues.push({ path: '.fromName', message: 'a sender name has no @ and no invisible characters' });
  }
  return issues.map((issue) => ({ ...issue, path: `${path}${issue.path}` }));
}

function checkInline({ subject, variables, html, text }: EmailConfig): Issue[] {
  const issues: Issue[] = [];
  if (html === undefined && text === undefined) {
    issues.push({ path: '', message: 'write html or text, or name a stored template' });
  }
  if (subject === undefined) {
    issues.push({ path: '.subject', message: 'write a subject: only stored templates can have one of their own' });
  }
  if (variables !== undefined) {
    issues.push({ path: '.variables', message: 'variables are for stored templates: name one in "template"' });
  }
  return issues;
}

function checkStored({ variables = {}, html, text }: EmailConfig): Issue[] {
  const issues: Issue[] = [];
  if (html !== undefined || text !== undefined) {
    const part = html === undefined ? 'text' : 'html';
    issues.push({ path: `.${part}`, message: `the stored template has the body: leave out ${part} or template` });
  }
  for (const name of Object.keys(variables)) {
    const at = `.variables.${name}`;
    if (!variableName.test(name)) issues.push({ path: at, message: 'a name has letters, digits and _, at most 64' });
    if ((mailRoots as readonly string[]).includes(name)) {
      issues.push({ path: at, message: `"${name}" has a meaning already: choose another name` });
    }
  }
  return issues;
}
