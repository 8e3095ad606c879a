/**
 * Runs work that may hang: rejects when its time is up or when `signal` is aborted, and aborts the signal it was given.
 *
 * @param options.what names the work in the error, e.g. `the directory`
 */
export async function withinTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: { what: string; timeoutMs: number; signal: AbortSignal },
): Promise<T> {
  const { what, timeoutMs, signal } = options;
  signal.throwIfAborted();
  const controller = new AbortController();
  const stop = () => controller.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => controller.abort(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([aborted(controller.signal), work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
