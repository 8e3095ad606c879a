/** The answer of an operation that can be refused: a value, or an error that says what to do next. Never thrown. */
export type Result<T, E> = Ok<T> | Err<E>;

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function err<E>(error: E): Err<E> {
  return { ok: false, error };
}

/** The value of a result that must be ok; throws the error otherwise. For scripts, examples and tests. */
export function unwrap<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  const cause = result.error;
  throw cause instanceof Error ? cause : new Error(describe(cause), { cause });
}

function describe(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
