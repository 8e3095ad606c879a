import { builtInActions } from '../deliver/actions/index.ts';
import { builtInRecipients } from '../execute/recipients/index.ts';
import { HandlerFamily, type Handlers } from '../handlers.ts';
import { builtInConditions } from '../match/conditions/index.ts';

/** The families with the built-in types, registered as a host registers its own. */
export function createHandlers(): Handlers {
  const handlers: Handlers = {
    conditions: new HandlerFamily('condition'),
    recipients: new HandlerFamily('recipient'),
    actions: new HandlerFamily('action'),
  };
  for (const condition of builtInConditions) handlers.conditions.register(condition);
  for (const recipient of builtInRecipients) handlers.recipients.register(recipient);
  for (const action of builtInActions) handlers.actions.register(action);
  return handlers;
}
