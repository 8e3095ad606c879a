import type { WorkflowInput } from '../../model/workflow.ts';

/** What the tenants' administrators wrote, by tenant. `webhookUrl` is where the demo's receiver listens. */
export function demoWorkflows(webhookUrl: string): Readonly<Record<'acme' | 'globex', readonly WorkflowInput[]>> {
  return {
    acme: [
      {
        name: 'Large order',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'insert' }],
        conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 1000 }],
        actions: [
          {
            type: 'notification',
            title: 'Large order {{ payload.number }}',
            message: '{{ payload.customer_name }} ordered for {{ payload.total | currency("EUR", "de-DE") }}',
            priority: 'high',
          },
        ],
        recipients: [
          { type: 'role', id: 'sales' },
          { type: 'field', field: 'owner_id' },
        ],
        settings: { logSkipped: true },
      },
      {
        name: 'Loyal customer',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'insert' }],
        conditions: [
          {
            type: 'query_match',
            query: 'orders of the customer',
            parameters: { customer: { field: 'customer_id' } },
            expect: { atLeast: 3 },
          },
          { type: 'role_based', user_field: 'created_by', required_role: 'sales' },
        ],
        actions: [
          {
            type: 'email',
            subject: 'Thank you, {{ payload.customer_name }}',
            html: '<p>Order <b>{{ payload.number }}</b> of {{ payload.customer_name }} is at least the third.</p>',
          },
        ],
        recipients: [{ type: 'user', id: 'mia' }],
      },
      {
        name: 'Order approved',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'update', fields: ['status'] }],
        conditions: [{ type: 'field_value', field: 'status', operator: 'changed_to', value: 'approved' }],
        actions: [
          {
            type: 'notification',
            title: 'Order approved',
            message: 'Order {{ payload.number }} has been approved by {{ event.actor }}',
          },
          {
            type: 'email',
            subject: 'Order {{ payload.number }} approved',
            template: 'order_notification',
            variables: {
              order_id: '{{ payload.number }}',
              customer: '{{ payload.customer_name }}',
              amount: '{{ payload.total }}',
            },
          },
        ],
        recipients: [
          { type: 'group', id: 'warehouse' },
          { type: 'attribute', id: 'department', value: 'logistics' },
        ],
        settings: { excludeActor: true },
      },
      {
        name: 'Refund over 500',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'update' }],
        conditions: [
          {
            type: 'composite',
            all: [
              { type: 'field_value', field: 'status', operator: 'changed_to', value: 'refunded' },
              { type: 'field_value', field: 'total', operator: 'gt', value: 500 },
              {
                type: 'composite',
                not: { type: 'field_value', field: 'previous.status', operator: 'eq', value: 'new' },
              },
            ],
          },
          {
            type: 'time_based',
            days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
            timezone: 'Europe/Vienna',
          },
        ],
        actions: [
          {
            type: 'webhook',
            url: `${webhookUrl}/refunds`,
            headers: { authorization: 'Bearer {{ secret.erp_token }}' },
            payload: {
              event: 'order.refunded',
              order: '{{ payload.number }}',
              amount: '{{ payload.total }}',
              customer: '{{ payload.customer_name }}',
            },
            signingSecret: 'erp_signing',
            retry: { maxAttempts: 5, initialIntervalMs: 200, maxIntervalMs: 1_000 },
          },
          {
            type: 'email',
            subject: 'Refund of {{ payload.total }} for {{ payload.number }}',
            text: 'Please check the refund of order {{ payload.number }}, {{ recipient.name }}.',
            recipients: [{ type: 'group', id: 'finance' }],
          },
        ],
        recipients: [],
      },
      {
        name: 'Order deleted',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'delete' }],
        actions: [
          {
            type: 'notification',
            title: 'Order deleted',
            message: 'Order {{ payload.number }} is gone',
            priority: 'low',
          },
        ],
        recipients: [{ type: 'role', id: 'admin' }],
      },
      {
        name: 'New user notification',
        status: 'active',
        triggers: [{ entityType: 'user', operation: 'insert' }],
        conditions: [{ type: 'field_value', field: 'isVerified', operator: 'eq', value: true }],
        actions: [
          {
            type: 'notification',
            title: 'New user',
            message: 'A new verified user has registered: {{ payload.username }}',
          },
        ],
        recipients: [{ type: 'role', id: 'admin' }],
      },
    ],
    globex: [
      {
        name: 'Large order',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'insert' }],
        conditions: [{ type: 'field_value', field: 'total', operator: 'gte', value: 5000 }],
        actions: [
          {
            type: 'notification',
            title: 'Big one: {{ payload.number }}',
            message: '{{ payload.total }} from {{ payload.customer_name }}',
          },
        ],
        recipients: [{ type: 'role', id: 'sales' }],
      },
    ],
  };
}
