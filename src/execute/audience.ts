import type { WorkflowEvent } from '../model/event.ts';
import type { RecipientTrace } from '../model/execution.ts';
import type { Reason } from '../model/reason.ts';
import type { Recipient } from '../model/recipient.ts';
import { isStorableJson, storableText } from '../model/storable-text.ts';
import type { CompiledRecipient } from './recipient.ts';

/** A recipient part of a definition, compiled. */
export type RecipientPart = { readonly partId: string; readonly type: string; readonly compiled: CompiledRecipient };

/** Someone a part named who is not told. */
export type LeftOutRecipient = {
  readonly recipientId: string;
  /** The part that named them first. */
  readonly partId: string;
  readonly reason: Reason;
};

/** A page of whom to tell. Nobody is in two pages. */
export type AudiencePage = {
  readonly recipients: readonly Recipient[];
  readonly leftOut: readonly LeftOutRecipient[];
  /** Of the parts that came to their end in this page. */
  readonly traces: readonly RecipientTrace[];
};

/** What a workflow says about whom it tells, whoever its recipients are. */
export type AudienceRules = {
  readonly event: WorkflowEvent;
  /** Leave out the user who did it. */
  readonly excludeActor: boolean;
  /** Most recipients to tell. */
  readonly maxRecipients: number;
  /** The quota of the tenant, which may be less; null or left out: none. */
  readonly quota?: number | null;
  /** Users who are told already, by a try before this one: they count, and are not told again. */
  readonly alreadyTold?: readonly string[];
};

/**
 * Gathers whom to tell, part by part: each user once, without the actor and those who are inactive, up to the cap. Holds
 * the ids of everyone named so far, and the recipients of the page that is open.
 */
export class Audience {
  readonly #rules: AudienceRules;
  readonly #seen = new Set<string>();
  #told = 0;
  #isCapped = false;
  #named = 0;
  #recipients: Recipient[] = [];
  #leftOut: LeftOutRecipient[] = [];
  #traces: RecipientTrace[] = [];

  constructor(rules: AudienceRules) {
    this.#rules = rules;
    for (const id of rules.alreadyTold ?? []) this.#seen.add(id);
    this.#told = this.#seen.size;
  }

  /** True once somebody was left out because of the cap: nothing more needs to be asked. */
  get isCapped(): boolean {
    return this.#isCapped;
  }

  /** How many people the open page is about. */
  get pageLength(): number {
    return this.#recipients.length + this.#leftOut.length;
  }

  /** Users the directory found for the part. */
  admit(part: RecipientPart, users: Iterable<Recipient>): void {
    for (const user of users) {
      if (this.#isCapped) return;
      this.#admitUser(part, user);
    }
  }

  /** Users the part named by id: those among `found`, and the others as unknown. */
  admitNamed(part: RecipientPart, ids: readonly string[], found: readonly Recipient[]): void {
    const byId = new Map(found.map((user) => [user.id, user]));
    for (const id of ids) {
      if (this.#isCapped) return;
      const user = byId.get(id);
      if (user) this.#admitUser(part, user);
      else if (!this.#seen.has(id)) this.#leaveOut(part, id, 'recipient_unknown');
    }
  }

  /** Ends a part: traces what it came to. */
  close(part: RecipientPart, outcome: { reason?: string; error?: string } = {}): void {
    const { partId, type } = part;
    const nobody = this.#named === 0 ? { reason: 'resolved_to_nobody' } : {};
    const capped = this.#isCapped ? { reason: this.#capReason, most: this.#cap } : {};
    this.#traces.push({ partId, type, resolved: this.#named, ...nobody, ...capped, ...outcome });
    this.#named = 0;
  }

  /** The open page; the next one starts empty. */
  takePage(): AudiencePage {
    const page = { recipients: this.#recipients, leftOut: this.#leftOut, traces: this.#traces };
    this.#recipients = [];
    this.#leftOut = [];
    this.#traces = [];
    return page;
  }

  get #cap(): number {
    return Math.min(this.#rules.maxRecipients, this.#rules.quota ?? this.#rules.maxRecipients);
  }

  get #capReason(): Reason {
    return this.#cap < this.#rules.maxRecipients ? 'quota_recipients' : 'fanout_capped';
  }

  #admitUser(part: RecipientPart, user: Recipient): void {
    if (!this.#seen.has(user.id)) {
      const against = this.#reasonAgainst(user);
      if (against) this.#leaveOut(part, user.id, against);
      else if (this.#told < this.#cap) this.#tell(user);
      else this.#isCapped = true;
    }
    if (!this.#isCapped) this.#named++;
  }

  #reasonAgainst(user: Recipient): Reason | null {
    if (!isStorableJson(user)) return 'recipient_unstorable';
    if (this.#rules.excludeActor && user.id === this.#rules.event.actor) return 'actor_excluded';
    return user.active ? null : 'recipient_inactive';
  }

  #tell(user: Recipient): void {
    this.#seen.add(user.id);
    this.#recipients.push(user);
    this.#told++;
  }

  #leaveOut(part: RecipientPart, namedId: string, reason: Reason): void {
    this.#seen.add(namedId);
    const recipientId = storableText(namedId);
    // Ids that cannot be stored as they are may come to the same text, or to the id of somebody who is named.
    if (recipientId !== namedId && this.#seen.has(recipientId)) return;
    this.#seen.add(recipientId);
    this.#leftOut.push({ recipientId, partId: part.partId, reason });
  }
}
