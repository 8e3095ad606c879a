/** Every condition type, as tenants write it: what stands in `conditions` of a workflow or of an action. */
import type { WorkflowInput } from '../src/index.ts';

type Conditions = NonNullable<WorkflowInput['conditions']>;

// #region field-value
export const fieldValue: Conditions = [
  { type: 'field_value', field: 'status', operator: 'eq', value: 'approved' },
  { type: 'field_value', field: 'amount', operator: 'gt', value: 1000 },
  { type: 'field_value', field: 'amount', operator: 'lte', valueField: 'customer.credit_limit' },
  { type: 'field_value', field: 'customer.country', operator: 'in', value: ['AT', 'DE'] },
  { type: 'field_value', field: 'note', operator: 'contains', value: 'urgent', caseSensitive: false },
  { type: 'field_value', field: 'event.actor', operator: 'is_not_null' },
];
// #endregion

// #region change
export const change: Conditions = [
  { type: 'field_value', field: 'status', operator: 'changed', from: 'new', to: 'approved' },
  { type: 'field_value', field: 'amount', operator: 'increased' },
  { type: 'field_value', field: 'previous.amount', operator: 'lt', value: 1000 },
];
// #endregion

// #region time-based
export const officeHours: Conditions = [
  {
    type: 'time_based',
    days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'],
    start_time: '09:00',
    end_time: '17:00',
    timezone: 'UTC',
  },
];

export const weekendNights: Conditions = [
  { type: 'time_based', days: ['Fri', 'Sat'], start_time: '22:00', end_time: '06:00', timezone: 'Europe/Vienna' },
];
// #endregion

// #region role-based
export const madeByAdmin: Conditions = [{ type: 'role_based', user_field: 'created_by', required_role: 'admin' }];

export const changedByBoth: Conditions = [
  { type: 'role_based', user_field: 'event.actor', required_role: ['finance', 'auditor'], match: 'all' },
];
// #endregion

// #region query-match
export const premiumInNorthAmerica: Conditions = [
  {
    type: 'query_match',
    query: 'premium customers in North America',
    parameters: { customer: { field: 'customer_id' } },
    expect: 'any',
  },
];
// #endregion

// #region composite
export const refundOrLargeAndNotNew: Conditions = [
  {
    type: 'composite',
    any: [
      { type: 'field_value', field: 'status', operator: 'eq', value: 'refunded' },
      {
        type: 'composite',
        all: [
          { type: 'field_value', field: 'amount', operator: 'gte', value: 5000 },
          { type: 'composite', not: { type: 'field_value', field: 'status', operator: 'eq', value: 'new' } },
        ],
      },
    ],
  },
];
// #endregion
