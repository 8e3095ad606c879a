/** Something that keeps the database from taking work and that nobody here can mend: the engine waits until it is over. */
export type DatabaseTrouble = {
  readonly kind: 'read_only' | 'disk_full' | 'unreachable';
  /** What is the matter and what it waits for. */
  readonly sentence: string;
};

const kinds: Readonly<Record<DatabaseTrouble['kind'], { codes: readonly RegExp[]; sentence: string }>> = {
  read_only: {
    codes: [/^25006$/],
    sentence: 'the database takes no writes (read-only, or a standby): waiting for one that does',
  },
  disk_full: {
    codes: [/^53100$/, /^ENOSPC$/],
    sentence: 'the disk of the database is full: waiting for space',
  },
  unreachable: {
    // Shutting down, starting, crashed; connection exceptions; too many connections; what the network says.
    codes: [/^57P0[1-5]$/, /^08...$/, /^53300$/, /^E(CONN|TIMEDOUT|PIPE|NOTFOUND|HOSTUNREACH|NETUNREACH|AI_AGAIN)/],
    sentence: 'the database cannot be reached: connecting again and again',
  },
};

/** The trouble of the database that an error tells of; null when it tells of something else. */
export function databaseTrouble(error: unknown): DatabaseTrouble | null {
  const code = errorCode(error);
  for (const kind of ['read_only', 'disk_full', 'unreachable'] as const) {
    const { codes, sentence } = kinds[kind];
    if (codes.some((pattern) => pattern.test(code ?? ''))) return { kind, sentence };
  }
  const message = rootMessage(error);
  // The driver's own errors have no code.
  const isOfTheWay = /^Connection terminated|^Query read timeout|^timeout (exceeded|expired)|not queryable/.test(
    message,
  );
  return isOfTheWay ? { kind: 'unreachable', sentence: kinds.unreachable.sentence } : null;
}

/** Whether an error says that the server takes no writes. */
export function isReadOnly(error: unknown): boolean {
  return databaseTrouble(error)?.kind === 'read_only';
}

/** Whether an error says that no answer came in time: what is asked of that connection next would wait in vain as well. */
export function isUnanswered(error: unknown): boolean {
  return /^Query read timeout/.test(rootMessage(error));
}

/** The SQLSTATE or system code of an error or of what caused it. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return 'cause' in error ? errorCode(error.cause) : undefined;
}

function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}
