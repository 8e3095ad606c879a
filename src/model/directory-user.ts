import { z } from 'zod';
import { nearest } from '../errors.ts';
import { isStorableJson, isStorableText, unstorable } from './storable-text.ts';

/** The id of a user, as the host's own tables have it. */
export const userId = z.string().min(1).max(256).refine(isStorableText, unstorable);

/** The name of a role, a group or an attribute. */
export const directoryName = z.string().min(1).max(200).refine(isStorableText, unstorable);

const longestAttributes = 65_536;

/** A user as written to the default directory. What is left out is null, and `active` true: a put replaces the user. */
export const directoryUserInput = z.strictObject({
  id: userId,
  name: z.string().min(1).max(500).refine(isStorableText, unstorable).nullable().default(null),
  email: z
    .string()
    .max(254)
    .regex(/^[^\s@<>"(),:;[\\\]]+@[^\s@<>"(),:;[\\\]]+$/, 'is not a mail address such as "ann@example.com"')
    .nullable()
    .default(null),
  /** BCP 47, e.g. `de-AT`; kept in its canonical case. */
  locale: z.string().transform(canonicalLocale).nullable().default(null),
  /** IANA name, e.g. `Europe/Vienna`. */
  timezone: z
    .string()
    .refine(isTimezone, { error: (issue) => notTimezone(String(issue.input)) })
    .nullable()
    .default(null),
  attributes: z
    .record(z.string().min(1), z.json())
    .refine(isStorableJson, unstorable)
    .refine(
      (value) => JSON.stringify(value).length <= longestAttributes,
      `is longer than ${longestAttributes} characters`,
    )
    .default({}),
  active: z.boolean().default(true),
});

/** What a caller may write. */
export type DirectoryUserInput = z.input<typeof directoryUserInput>;

function canonicalLocale(written: string, context: z.core.$RefinementCtx<string>): string {
  try {
    return Intl.getCanonicalLocales(written)[0] as string;
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a language tag such as "de-AT"', input: written });
    return z.NEVER;
  }
}

/** Asking Intl takes 30 us, and a bulk load asks for the same few zones thousands of times. */
const knownTimezones = new Set<string>(['UTC']);

function isTimezone(written: string): boolean {
  if (knownTimezones.has(written)) return true;
  // Intl also takes offsets such as "+02:00".
  if (!/^[a-z]/i.test(written)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: written });
  } catch {
    return false;
  }
  if (knownTimezones.size < 1000) knownTimezones.add(written);
  return true;
}

function notTimezone(written: string): string {
  const meant = nearest(written, Intl.supportedValuesOf('timeZone'));
  return `"${written}" is not an IANA time zone${meant ? `: did you mean "${meant}"?` : ' such as "Europe/Vienna"'}`;
}
