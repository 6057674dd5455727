// Deadlines, pauses, and the signals by which a caller ends a call.

/** The longest time that a timer takes, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The time of one call, all its tries together. */
export class Deadline {
  readonly #end: number;

  /** `timeoutMs` milliseconds from now; Infinity for none. */
  constructor(timeoutMs: number) {
    this.#end = performance.now() + timeoutMs;
  }

  /** The milliseconds that are left; Infinity if there is no deadline. */
  left(): number {
    return this.#end - performance.now();
  }
}

/** Runs something that takes a signal, which aborts when the caller's does or the deadline passes. */
export async function within<T>(
  deadline: Deadline,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort);
  const left = deadline.left();
  const timer =
    left < LONGEST_TIMER ? setTimeout(() => controller.abort(new PassedDeadline()), Math.max(left, 0)) : undefined;
  try {
    return await run(controller.signal);
  } catch (error) {
    // What a fetch throws when it is aborted differs; the reason does not.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** The call's deadline has passed. */
export class PassedDeadline extends Error {}

/** Waits. Throws the signal's reason when it aborts. */
export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, Math.min(milliseconds, LONGEST_TIMER));
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** A promise's value, unless the signal aborts first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (abort !== undefined) {
      signal.removeEventListener("abort", abort);
    }
  }
}

/** A pause that doubles with each attempt up to a bound, and is drawn at random, so that clients that failed together
 * do not come back together. */
export function backoff(attempt: number, longestMs: number): number {
  const bound = Math.min(100 * 2 ** Math.min(attempt - 1, 20), longestMs);
  return bound * (0.5 + 0.5 * Math.random());
}
