import type { ActionHandler } from '../action.ts';
import { emailAction } from './email.ts';
import { notificationAction } from './notification.ts';
import { webhookAction } from './webhook.ts';

/** The action types every worker knows. */
export const builtInActions: readonly ActionHandler[] = [notificationAction, emailAction, webhookAction];
