/**
 * Every reason why something was or was not done, with the sentence people read. Stored by code, shown by sentence; the
 * only place to add one.
 */
export const reasons = {
  conditions_false: 'The conditions of the workflow were not met.',
  condition_error: 'A condition could not be decided, so the workflow did not run.',
  action_conditions_false: 'The conditions of the action were not met.',
  action_condition_error: 'A condition of the action could not be decided, so the action did not run.',
  action_inactive: 'The action is switched off.',
  loop_detected: 'The effects of the workflow led to the event that would start it again: it was stopped as a loop.',
  no_actions: 'No action was left to do.',
  resolved_to_nobody: 'The recipients resolved to nobody.',
  resolver_failed: 'A recipient could not be resolved, so nobody was told through it.',
  unknown_handler: 'No handler of this type is registered in the worker.',
  field_missing: 'The record does not have the field that names the recipient.',
  field_not_user: 'The field that names the recipient does not hold a user id.',
  actor_excluded: 'The recipient did it and the workflow leaves out the actor.',
  recipient_inactive: 'The recipient is not active in the directory.',
  recipient_unknown: 'The directory has no user with this id.',
  recipient_unstorable:
    'The directory answered a user whose id or data cannot be stored: it holds a NUL character or half a surrogate pair.',
  no_address: 'The recipient has no address for this action.',
  invalid_address: 'The address of the recipient is not a valid mail address.',
  opted_out: 'The recipient does not want to be told in this way.',
  suppressed_address: 'Mails to this address are suppressed: it bounced, complained, or was added by hand.',
  fanout_capped: 'More recipients than the workflow may tell; the rest were left out.',
  quota_recipients: 'More recipients than the quota of the tenant lets one action tell; the rest were left out.',
  template_error: 'A template could not be rendered.',
  template_missing: 'The stored template does not exist.',
  secret_missing: 'A secret that the action uses does not exist or cannot be opened.',
  secret_not_allowed_here: 'A secret that the action uses may not be sent to the host of its URL.',
  url_not_allowed: 'The URL is not one that webhooks may call.',
  link_not_allowed: 'The link of the notification is neither http(s) nor relative.',
  connection_failed: 'The other side could not be reached.',
  timeout: 'The other side did not answer in time.',
  outcome_unknown: 'The connection ended before the answer came; it is sent again under the same id.',
  http_status: 'The endpoint answered with a status that is not success.',
  request_too_large: 'The request is larger than webhooks may be.',
  endpoint_paused: 'The endpoint failed too often and is paused; the delivery waits until it is tried again.',
  endpoint_disabled: 'The endpoint said that it is gone; the delivery waits until the endpoint is resumed.',
  endpoint_busy: 'As many requests to the endpoint as may be are under way; the delivery waits for its turn.',
  smtp_rejected: 'The mail server refused the mail.',
  hard_bounce: 'The mail server says that the address does not exist: it gets no more mails.',
  smtp_deferred: 'The mail server asked to try later.',
  handler_failed: 'The handler threw an error.',
  attempts_exhausted: 'All attempts were used up.',
  worker_stopped: 'The worker was stopped while the answer was awaited; it is sent again under the same id.',
  lease_lost: 'The worker stopped before it could record the outcome; another one took over.',
  event_expired: 'The event is no longer kept, so the message cannot be rendered.',
  version_missing: 'The workflow version no longer exists.',
  cancelled: 'Cancelled on request.',
  tenant_missing: 'The row names no tenant.',
  worker_crashed: 'Each worker that tried it ended without a word.',
  event_unreadable: 'The event could not be read.',
  payload_too_large: 'The event is larger than the quota of the tenant lets events be.',
} as const;

export type Reason = keyof typeof reasons;

/** The sentence of a reason code, also for codes of custom handlers, which speak for themselves. */
export function reasonSentence(code: string): string {
  return Object.hasOwn(reasons, code) ? reasons[code as Reason] : code;
}
