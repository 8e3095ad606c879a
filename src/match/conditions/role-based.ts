import { z } from 'zod';
import { parseFieldPath } from '../../model/field-path.ts';
import type { Json } from '../../model/json.ts';
import { pathText } from '../../model/parse-input.ts';
import { err, ok } from '../../model/result.ts';
import { type ConditionHandler, defineConditionHandler } from '../condition.ts';
import { deferredCondition } from '../deferred-condition.ts';
import { fieldReader } from '../field-reader.ts';
import { describeValue } from '../show-value.ts';

const role = z.string().min(1).max(200);

const config = z.strictObject({
  /** The field that holds the user's id: `created_by`, `event.actor`. */
  user_field: z.string().min(1),
  required_role: z.union(
    [role, z.array(role).min(1).max(50)],
    'must be the name of a role, or a list of 1 to 50 of them',
  ),
  /** With several roles: does one suffice? Default `any`. */
  match: z.enum(['any', 'all']).default('any'),
});

/** True when the user that a field names has a role (any or all of several) as the event is worked on. */
export const roleBasedCondition: ConditionHandler<z.infer<typeof config>> = defineConditionHandler({
  type: 'role_based',
  schema: config,
  compile: ({ user_field, required_role, match }, context) => {
    const path = pathText(context.path, ['user_field']);
    const segments = parseFieldPath(user_field);
    if (!segments) return err([{ path, message: `"${user_field}" is not a field path such as "created_by"` }]);
    const read = fieldReader(segments);
    const roles = [required_role].flat();
    return ok(
      deferredCondition({
        type: 'role_based',
        expected: `${user_field} has ${roles.length > 1 ? `${match} of ` : ''}${roles.join(', ')}`,
        problem: (subject) => notAUser(user_field, read(subject)),
        ask: async (subject, services) => {
          const has = new Set(await services.rolesOf(subject.event.tenantId, String(read(subject))));
          const result = match === 'all' ? roles.every((name) => has.has(name)) : roles.some((name) => has.has(name));
          return { result, actual: [...has] };
        },
        reads: [{ path, segments }],
      }),
    );
  },
});

/** Nobody has no roles, but a condition that asks for the opposite must not become true by it. */
function notAUser(field: string, value: Json | undefined): string | null {
  if (value === undefined) return `the field "${field}" is not there`;
  if (value === null || value === '') return `the field "${field}" names nobody`;
  if (typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value)) return null;
  return `the field "${field}" holds ${describeValue(value)}, which is no user id`;
}
