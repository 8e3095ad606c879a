import { WorkflowError } from '../errors.ts';
import { type Quotas, quotasWithDefaults } from '../model/quota.ts';
import type { Orm } from '../store/database.ts';
import { countWorkflows, lockWorkflowCount } from '../store/quota-state.ts';
import { readQuotas } from '../store/tenant-quotas.ts';

/**
 * Whether a tenant may have one workflow more: kept at all, or active. Whoever asks at the same moment waits until this
 * transaction ends, so that two do not both take the last place.
 *
 * @returns the refusal, null when there is room
 */
export async function refuseBeyondQuota(
  tx: Orm,
  options: { tenantId: string; defaults: Quotas; adds: 'workflow' | 'active workflow' },
): Promise<WorkflowError | null> {
  const { tenantId, defaults, adds } = options;
  const { maxWorkflows } = quotasWithDefaults(await readQuotas(tx, tenantId), defaults);
  if (maxWorkflows === null) return null;
  await lockWorkflowCount(tx, tenantId);
  const { kept, active } = await countWorkflows(tx, tenantId);
  const count = adds === 'workflow' ? kept : active;
  if (count < maxWorkflows) return null;
  const next = adds === 'workflow' ? 'archive or delete one' : 'deactivate one';
  const message = `the tenant has ${count} ${adds}s and its quota is ${maxWorkflows}: ${next}, or raise the quota (tocsin quotas set --tenant ${tenantId} --workflows N)`;
  return new WorkflowError('quota_exceeded', message);
}
