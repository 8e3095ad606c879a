import { invalid, type WorkflowError } from '../errors.ts';
import { isStorableText, unstorable } from './storable-text.ts';

/** Most characters of a tenant id. */
const maxTenantIdLength = 255;

/** What is wrong with a tenant id, as the refusal that the caller is given; null when it can be one. */
export function checkTenantId(tenantId: unknown): WorkflowError | null {
  const refuse = (message: string) => invalid('the tenant', [{ path: 'tenantId', message }]);
  if (typeof tenantId !== 'string') return refuse('is not a text');
  if (tenantId === '') return refuse('is empty');
  if (tenantId.length > maxTenantIdLength) return refuse(`is longer than ${maxTenantIdLength} characters`);
  if (!isStorableText(tenantId)) return refuse(unstorable);
  return null;
}
