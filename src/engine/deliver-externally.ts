import type {
  CompiledAction,
  MessageContext,
  OutgoingMail,
  SecretRefusal,
  StoredTemplate,
  Transports,
} from '../deliver/action.ts';
import type { EndpointGate } from '../deliver/endpoint-gate.ts';
import { appendCausation } from '../model/causation.ts';
import { causedBy } from '../model/caused-by.ts';
import type { OptOut } from '../model/preference.ts';
import type { Result } from '../model/result.ts';
import type { DeliveryOutcome } from '../model/retry.ts';
import { isStorableText } from '../model/storable-text.ts';
import type { DeliveryRules, RulesQuestion } from '../store/delivery-rules.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { Bounce } from '../store/suppressions.ts';
import { startDeadline } from './attempt-deadline.ts';
import { sendAsTenant } from './send-as-tenant.ts';
import { sendThroughGate } from './send-through-gate.ts';

/** What an attempt needs from outside. */
export type DeliveryServices = {
  readonly transports: Pick<Transports, 'sendHttp'> & {
    readonly sendMail: (mail: OutgoingMail, signal: AbortSignal) => Promise<DeliveryOutcome>;
  };
  /** The link by which a recipient opts out; null or left out without the option `unsubscribe`. */
  readonly unsubscribeUrl?: (of: OptOut) => string | null;
  readonly openSecret: (tenantId: string, name: string, url?: string) => Promise<Result<string, SecretRefusal>>;
  /** Circuit breakers of endpoints; without it every request goes out. */
  readonly endpoints?: EndpointGate;
  /** How long after its event a delivery may still wait for its endpoint, ms. Default: for ever. */
  readonly maxWaitMs?: number;
  readonly storedTemplate: (tenantId: string, name: string) => Promise<StoredTemplate | null>;
};

type External = Extract<CompiledAction, { kind: 'external' }>;

export type ExternalAttempt = {
  readonly claimed: ClaimedDelivery;
  readonly services: DeliveryServices;
  readonly compiled: External;
  readonly message: MessageContext;
  /** What the attempt may take, ms. */
  readonly timeoutMs: number;
  /** What the recipient may opt out of; null when there is nothing. */
  readonly optOut: OptOut | null;
  readonly rules: DeliveryRules;
  readonly readRules: (question: RulesQuestion) => Promise<DeliveryRules>;
  /** Gets the clear texts that the handler asks for. */
  readonly secrets: string[];
  readonly bounces: Bounce[];
  /** The worker's. */
  readonly signal: AbortSignal;
};

/** Has a handler make one attempt, with the ways out that it is given; answers its outcome, or `timeout` in time. */
export async function deliverExternally(options: ExternalAttempt): Promise<DeliveryOutcome> {
  const { claimed, services, compiled, message, timeoutMs, optOut, secrets } = options;
  const { tenantId } = claimed;
  const unsubscribeUrl = optOut && (services.unsubscribeUrl?.(optOut) ?? null);
  const causation = appendCausation(message.event.causation, message.workflow.id);
  const hasSecrets = () => secrets.length > 0;
  const { promise: timeUp, resolve } = Promise.withResolvers<DeliveryOutcome>();
  const onEnd = () => resolve({ status: 'retry', reason: 'timeout' });
  const { signal, end } = startDeadline(options.signal, { timeoutMs, onEnd });
  const { sendHttp, settled } = sendThroughGate({
    tenantId,
    timeoutMs,
    signal,
    stopping: options.signal,
    gate: services.endpoints,
    hasSecrets,
    sendHttp: services.transports.sendHttp,
  });
  const outcome = await within({ signal, timeUp, hasSecrets }, () =>
    causedBy(causation, () =>
      compiled.deliver({
        ...message,
        tenantId,
        deliveryId: claimed.id,
        executionId: claimed.executionId,
        attempt: claimed.attempts,
        causation,
        now: new Date(claimed.nowMs),
        signal,
        transports: { sendHttp, sendMail: mailOf(options, unsubscribeUrl) },
        unsubscribeUrl,
        secret: async (name, url) => {
          const opened = await services.openSecret(tenantId, name, url);
          if (opened.ok) secrets.push(opened.value);
          return opened;
        },
        storedTemplate: (name) => services.storedTemplate(tenantId, name),
      }),
    ),
  );
  await settled();
  end();
  return outcome;
}

function mailOf(options: ExternalAttempt, unsubscribeUrl: string | null): Transports['sendMail'] {
  const { claimed, services, message, rules, bounces } = options;
  const { tenantId } = claimed;
  const recipientAddress = message.recipient?.email ?? null;
  return sendAsTenant({
    tenantId,
    unsubscribeUrl,
    rulesFor: async (address) =>
      address === recipientAddress
        ? rules
        : options.readRules({ people: [], addresses: [{ tenantId, address }], tenantIds: [tenantId] }),
    sendMail: services.transports.sendMail,
    onBounce: (bounce) => bounces.push(bounce),
  });
}

const outcomeStatuses: readonly unknown[] = ['delivered', 'retry', 'failed', 'skipped', 'postponed'];
const longestReason = 500;

/** What a handler answered, if it is an outcome: a host's handler can answer anything. */
function checkedOutcome(answer: unknown): DeliveryOutcome {
  const { status, reason, afterMs } = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<
    Record<'status' | 'reason' | 'afterMs', unknown>
  >;
  const isReasoned =
    typeof reason === 'string' && reason !== '' && reason.length <= longestReason && isStorableText(reason);
  const isTimed =
    (afterMs === undefined && status !== 'postponed') ||
    (typeof afterMs === 'number' && Number.isFinite(afterMs) && afterMs >= 0);
  if (outcomeStatuses.includes(status) && (status === 'delivered' || isReasoned) && isTimed)
    return answer as DeliveryOutcome;
  const wanted =
    "{ status: 'delivered' }, { status: 'retry', reason, afterMs? }, { status: 'failed', reason } or { status: 'skipped', reason }";
  return { status: 'retry', reason: 'handler_failed', detail: { error: `the handler must answer ${wanted}` } };
}

/** The handler's outcome, or `timeout` when it does not come before the signal, also from a handler that ignores it. */
async function within(
  { signal, timeUp, hasSecrets }: { signal: AbortSignal; timeUp: Promise<DeliveryOutcome>; hasSecrets: () => boolean },
  deliver: () => ReturnType<External['deliver']>,
): Promise<DeliveryOutcome> {
  try {
    return await Promise.race([Promise.resolve(deliver()).then(checkedOutcome), timeUp]);
  } catch (error) {
    if (signal.aborted) return timeUp;
    return { status: 'retry', reason: 'handler_failed', detail: { error: thrownText(error, hasSecrets()) } };
  }
}

/** What a handler threw. One that had secrets may have put them into its message, in a spelling nobody looks for. */
function thrownText(error: unknown, hasSecrets: boolean): string {
  if (hasSecrets) return 'the handler threw; its message is not kept, because the attempt had secrets';
  return error instanceof Error ? error.message : String(error);
}
