/** What a person said about being told in one way, by one workflow or by all. */
export type Preference = {
  readonly userId: string;
  /** An action type, e.g. `email`. */
  readonly channel: string;
  /** Null: for every workflow that has no preference of its own. */
  readonly workflowId: string | null;
  readonly muted: boolean;
  /** Who said so: the host on the person's behalf, or the person by the link in a mail. */
  readonly source: 'host' | 'unsubscribe_link';
  readonly updatedAt: Date;
};

/** Whom an opt-out is of, and what from. */
export type OptOut = {
  readonly tenantId: string;
  readonly userId: string;
  readonly channel: string;
  /** Null: from all workflows. */
  readonly workflowId: string | null;
};

/** As much of a preference as a decision takes. */
export type PreferenceRule = Pick<Preference, 'workflowId' | 'muted'>;

/**
 * Says whether a person is not to be told by a workflow: what they said about this workflow counts, else what they said
 * about all.
 *
 * @param rules of one person and channel
 */
export function isMuted(rules: readonly PreferenceRule[], workflowId: string): boolean {
  const own = rules.find((rule) => rule.workflowId === workflowId) ?? rules.find((rule) => rule.workflowId === null);
  return own?.muted ?? false;
}
