/** Every recipient type, as tenants write it: what stands in `recipients` of a workflow or of an action. */
import type { WorkflowInput } from '../src/index.ts';

type Recipients = NonNullable<WorkflowInput['recipients']>;

// #region user
export const oneUser: Recipients = [{ type: 'user', id: 'user123' }];
export const twoUsers: Recipients = [{ type: 'user', id: ['user123', 'user456'] }];
// #endregion

// #region role
export const administrators: Recipients = [{ type: 'role', id: 'admin' }];
// #endregion

// #region group
export const salesTeam: Recipients = [{ type: 'group', id: 'sales_team' }];
// #endregion

// #region attribute
export const salesDepartment: Recipients = [{ type: 'attribute', id: 'department', value: 'sales' }];
// #endregion

// #region field
export const owner: Recipients = [{ type: 'field', field: 'owner_id' }];
export const ownerAndWatchers: Recipients = [{ type: 'field', field: ['owner_id', 'customer.watchers'] }];
export const whoeverDidIt: Recipients = [{ type: 'field', field: 'event.actor' }];
// #endregion
