import type { ActionHandler } from './deliver/action.ts';
import type { RecipientResolver } from './execute/recipient.ts';
import type { ConditionHandler } from './match/condition.ts';

/** One family of handlers by type. A type is registered once; a second one is an error, not a replacement. */
export class HandlerFamily<Handler extends { readonly type: string }> {
  readonly kind: string;
  readonly #byType = new Map<string, Handler>();

  constructor(kind: string) {
    this.kind = kind;
  }

  register(handler: Handler): void {
    if (this.#byType.has(handler.type)) {
      throw new Error(`${this.kind} type "${handler.type}" is registered twice: give yours another type`);
    }
    this.#byType.set(handler.type, handler);
  }

  get(type: string): Handler | undefined {
    return this.#byType.get(type);
  }

  types(): readonly string[] {
    return [...this.#byType.keys()];
  }
}

/** What workflows are made of: the built-in handlers and the host's own. */
export type Handlers = {
  readonly conditions: HandlerFamily<ConditionHandler>;
  readonly recipients: HandlerFamily<RecipientResolver>;
  readonly actions: HandlerFamily<ActionHandler>;
};
