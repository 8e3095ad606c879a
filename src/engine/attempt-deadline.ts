import { setMaxListeners } from 'node:events';

/** The signal of one attempt. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** The attempt is over: lets go of the timer and of the worker's signal. */
  readonly end: () => void;
};

/**
 * A signal that is aborted with the worker's or when the time is up, whichever is first. For thousands of attempts a second:
 * `AbortSignal.timeout` keeps a timer for each that has long ended.
 */
export function startDeadline(stopping: AbortSignal, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const stop = () => controller.abort(stopping.reason);
  const timer = setTimeout(
    () => controller.abort(new DOMException('the attempt took too long', 'TimeoutError')),
    timeoutMs,
  );
  // One of each attempt under way.
  setMaxListeners(0, stopping);
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', stop);
    },
  };
}
