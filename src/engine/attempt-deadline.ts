/** The signal of one attempt. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** The attempt is over: lets go of the timer and of the worker's signal. */
  readonly end: () => void;
};

/**
 * A signal that is aborted with the worker's or when the time is up, whichever is first; then `onEnd` is called. For thousands of
 * attempts a second: `AbortSignal.timeout` keeps a timer for each that has long ended, and a listener of each costs more than all
 * else here.
 */
export function startDeadline(
  stopping: AbortSignal,
  { timeoutMs, onEnd }: { readonly timeoutMs: number; readonly onEnd: () => void },
): Deadline {
  const controller = new AbortController();
  const abort = (reason: unknown) => {
    controller.abort(reason);
    onEnd();
  };
  const timer = setTimeout(() => abort(new DOMException('the attempt took too long', 'TimeoutError')), timeoutMs);
  const running = runningUntil(stopping);
  if (stopping.aborted) abort(stopping.reason);
  else running.add(abort);
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      running.delete(abort);
    },
  };
}

type Abort = (reason: unknown) => void;
const runningBySignal = new WeakMap<AbortSignal, Set<Abort>>();

/** What to abort with a worker's signal, by one listener. */
function runningUntil(stopping: AbortSignal): Set<Abort> {
  const known = runningBySignal.get(stopping);
  if (known) return known;
  const running = new Set<Abort>();
  const abortAll = () => {
    for (const abort of running) abort(stopping.reason);
  };
  stopping.addEventListener('abort', abortAll, { once: true });
  runningBySignal.set(stopping, running);
  return running;
}
