/** Every action type, as tenants write it: what stands in `actions` of a workflow. */
import type { WorkflowInput } from '../src/index.ts';

type Actions = WorkflowInput['actions'];

// #region notification
export const orderApproved: Actions = [
  {
    type: 'notification',
    title: 'Order approved',
    message: 'Order #{{ payload.order_id }} has been approved',
    priority: 'medium',
    link: '/orders/{{ payload.order_id }}',
  },
];
// #endregion

// #region email-inline
export const thankYou: Actions = [
  {
    type: 'email',
    subject: 'Order #{{ payload.order_id }} of {{ payload.customer_name }}',
    html: '<p>Hello {{ recipient.name }},</p><p><b>{{ payload.customer_name }}</b> has ordered.</p>',
    replyTo: 'orders@shop.example',
  },
];
// #endregion

// #region email-template
export const orderMail: Actions = [
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
];
// #endregion

// #region transactional
export const passwordReset: Actions = [
  { type: 'email', subject: 'Your new password', text: 'Follow the link in this mail.', unsubscribe: false },
];
// #endregion

// #region webhook
export function orderWebhook(baseUrl: string): Actions {
  return [
    {
      type: 'webhook',
      url: `${baseUrl}/api/webhook/{{ payload.order_id }}`,
      method: 'POST',
      headers: { Authorization: 'Bearer {{ secret.api_key }}' },
      payload: {
        event: 'order.created',
        order_id: '{{ payload.order_id }}',
        amount: '{{ payload.amount }}',
        text: 'Order {{ payload.order_id }} of {{ payload.customer_name }}',
      },
      signingSecret: 'signing_key',
    },
  ];
}
// #endregion

// #region common
export const escalation: Actions = [
  { type: 'notification', title: 'Order', message: 'Order {{ payload.order_id }}', order: 1 },
  {
    type: 'email',
    name: 'Tell the managers of large orders',
    subject: 'Large order {{ payload.order_id }}',
    text: '{{ payload.customer_name }} ordered for {{ payload.amount }}.',
    order: 2,
    conditions: [{ type: 'field_value', field: 'amount', operator: 'gte', value: 10_000 }],
    recipients: [{ type: 'role', id: 'manager' }],
    retry: { maxAttempts: 3, initialIntervalMs: 1_000, backoffCoefficient: 2, maxIntervalMs: 60_000 },
    timeoutMs: 10_000,
    queue: 'critical',
  },
];
// #endregion
