/** Complete workflows, to copy and to change. */
import { type Tocsin, unwrap, type WorkflowInput } from '../src/index.ts';

// #region new-user
export const newUserNotification: WorkflowInput = {
  name: 'New user notification',
  description: 'Tells the administrators when a verified user has registered',
  status: 'active',
  triggers: [{ entityType: 'user', operation: 'insert' }],
  conditions: [{ type: 'field_value', name: 'User is verified', field: 'is_verified', operator: 'eq', value: true }],
  actions: [
    {
      type: 'notification',
      name: 'Tell the administrators',
      title: 'New user registration',
      message: 'A new verified user has registered: {{ payload.username }}',
    },
  ],
  recipients: [{ type: 'role', name: 'All administrators', id: 'admin' }],
};

export async function createNewUserNotification(tocsin: Tocsin, tenantId: string): Promise<string | null> {
  const created = await tocsin.workflows.createWorkflow(tenantId, newUserNotification);
  if (created.ok) return created.value.id;
  for (const { path, message } of created.error.issues) console.error(`${path}: ${message}`);
  return null;
}
// #endregion

// #region order-approved
export const orderApproved: WorkflowInput = {
  name: 'Order approved',
  status: 'active',
  triggers: [{ entityType: 'order', operation: 'update', fields: ['status'] }],
  conditions: [{ type: 'field_value', field: 'status', operator: 'eq', value: 'approved' }],
  actions: [
    {
      type: 'notification',
      title: 'Order approved',
      message: 'Order #{{ payload.order_id }} has been approved',
      priority: 'medium',
    },
  ],
  recipients: [
    { type: 'user', id: 'user123' },
    { type: 'group', id: 'sales_team' },
    { type: 'attribute', id: 'department', value: 'sales' },
  ],
  settings: { excludeActor: true },
};
// #endregion

// #region large-order
export async function createLargeOrderMail(tocsin: Tocsin, tenantId: string): Promise<void> {
  unwrap(
    await tocsin.templates.setTemplate(tenantId, {
      name: 'order_notification',
      html: '<p>Order <b>{{ order_id }}</b> of {{ customer }}: {{ amount | currency("USD") }}</p>',
    }),
  );
  unwrap(
    await tocsin.workflows.createWorkflow(tenantId, {
      name: 'Large order in office hours, made by an administrator',
      status: 'active',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      conditions: [
        { type: 'field_value', field: 'amount', operator: 'gt', value: 1000 },
        { type: 'time_based', days: ['weekdays'], start_time: '09:00', end_time: '17:00', timezone: 'UTC' },
        { type: 'role_based', user_field: 'created_by', required_role: 'admin' },
      ],
      actions: [
        {
          type: 'email',
          subject: 'New Order Notification',
          template: 'order_notification',
          variables: {
            order_id: '{{ payload.order_id }}',
            customer: '{{ payload.customer_name }}',
            amount: '{{ payload.amount }}',
          },
        },
      ],
      recipients: [{ type: 'role', id: 'manager' }],
    }),
  );
}
// #endregion

// #region saved-query
export async function savePremiumCustomers(tocsin: Tocsin, tenantId: string): Promise<void> {
  unwrap(
    await tocsin.savedQueries.createSavedQuery(tenantId, {
      name: 'premium customers in North America',
      entityType: 'customer',
      parameters: [{ name: 'customer', type: 'text' }],
      filter: {
        all: [
          { field: 'id', operator: 'eq', parameter: 'customer' },
          { field: 'region', operator: 'eq', value: 'North America' },
          { field: 'purchases', operator: 'gte', value: 10 },
        ],
      },
    }),
  );
}
// #endregion

// #region premium
export async function createPremiumWebhook(tocsin: Tocsin, tenantId: string, url: string): Promise<void> {
  unwrap(await tocsin.secrets.setSecret(tenantId, 'api_key', 'key-of-the-other-side'));
  unwrap(
    await tocsin.workflows.createWorkflow(tenantId, {
      name: 'Order of a premium customer',
      description: 'Only for premium customers in North America',
      status: 'active',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      conditions: [
        {
          type: 'query_match',
          name: 'Customer matches the market segment',
          query: 'premium customers in North America',
          parameters: { customer: { field: 'customer_id' } },
        },
      ],
      actions: [
        {
          type: 'webhook',
          url, // 'https://example.com/api/webhook'
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Authorization: 'Bearer {{ secret.api_key }}' },
          payload: { event: 'order.created', order_id: '{{ payload.order_id }}', amount: '{{ payload.amount }}' },
        },
      ],
    }),
  );
}
// #endregion
