/** What the command line is told beside the environment: settings, and the types of your own. */
import type { TocsinOptions } from '../src/index.ts';
import { onCallRecipient, smsAction, tenantPlanCondition } from './extensions.ts';

// #region config
export default {
  conditions: [tenantPlanCondition(async (tenantId) => (tenantId === 'acme' ? 'business' : 'free'))],
  actions: [smsAction('https://sms.example.com')],
  recipients: [onCallRecipient],
  worker: { concurrency: 100 },
} satisfies Partial<TocsinOptions>;
// #endregion
