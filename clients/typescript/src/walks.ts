// Pages and watches as async iterators.

import { ATTEMPTS, type Caller, type CallOptions, type Method, type Tried } from "./call.js";
import type { Message } from "./codec.js";
import { BefriendError } from "./error.js";
import { backoff, sleep } from "./time.js";

/** The longest pause before a watch is opened again, in milliseconds. */
const LONGEST_PAUSE = 30_000;

/** A stream that ends within this time is opened again only after a pause. */
const QUICK = 1000;

/** All entries of a list, or the pages of a sync: a page is asked for when its first entry is wanted. */
export async function* walk(
  caller: Caller,
  method: Method,
  request: Message,
  options: CallOptions,
): AsyncGenerator<unknown, void> {
  const entries = method.pages?.entries;
  let next: Message = { ...request };
  let anew = false;
  for (;;) {
    let page: Message;
    try {
      page = await caller.call(method, next, options);
    } catch (error) {
      if (!isAhead(error) || anew) {
        throw error;
      }
      next = { ...request, sinceVersion: 0n, pageToken: "" };
      anew = true;
      continue;
    }
    if (entries !== undefined) {
      for (const entry of page[entries] as unknown[]) {
        yield entry;
      }
    } else {
      yield anew ? { ...page, fullResync: true } : page;
      anew = false;
    }
    if (page["nextPageToken"] === "") {
      return;
    }
    next = { ...next, pageToken: page["nextPageToken"] };
  }
}

/** The messages of a watch, which goes on by itself from the last version. */
export async function* watch(
  caller: Caller,
  method: Method,
  request: Message,
  options: CallOptions,
): AsyncGenerator<Message, void> {
  let next: Message = { ...request };
  let received = false;
  let anew = false;
  // How many streams in a row brought no message.
  let failures = 0;
  for (;;) {
    const opened = performance.now();
    const tried: Tried = { token: undefined, sent: false };
    let pause = 0;
    try {
      for await (const message of caller.stream(method, next, options, tried)) {
        received = true;
        failures = 0;
        next = { ...next, sinceVersion: message["nextVersion"] };
        yield anew ? { ...message, fullResync: true } : message;
        anew = false;
      }
    } catch (error) {
      if (isAhead(error) && !anew) {
        next = { ...next, sinceVersion: 0n };
        anew = true;
      } else if (goesOn(error, received, failures) || (failures === 0 && isRefused(error, caller, tried))) {
        pause = (error as BefriendError).retryAfterMs ?? 0;
      } else {
        throw error;
      }
    }
    failures++;
    if (failures > 1 || performance.now() - opened < QUICK) {
      pause = Math.max(pause, backoff(failures, LONGEST_PAUSE));
    }
    await sleep(pause, options.signal);
  }
}

/** Whether the version of the request is higher than the list's. */
function isAhead(error: unknown): boolean {
  return error instanceof BefriendError && error.reason === "VERSION_AHEAD";
}

function isRefused(error: unknown, caller: Caller, tried: Tried): boolean {
  return error instanceof BefriendError && error.reason === "UNAUTHENTICATED" && caller.refused(tried.token);
}

/** Whether a watch that ended with this error is opened again. */
function goesOn(error: unknown, received: boolean, failures: number): boolean {
  if (!(error instanceof BefriendError)) {
    return false;
  }
  switch (error.reason) {
    case "WATCHER_TOO_SLOW":
    case "UNAVAILABLE":
    case "CONFLICT":
    case "RATE_LIMITED":
      return true;
    case undefined: {
      const isPassing = ["unavailable", "unknown", "canceled", "internal", "deadline_exceeded"].includes(error.code);
      // A service that was never reached may be none, or a browser may not let the page call it.
      return isPassing && (received || failures + 1 < ATTEMPTS);
    }
    default:
      return false;
  }
}
