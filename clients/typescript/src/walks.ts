// Pages and watches as async iterators.

import { ATTEMPTS, type Caller, type CallOptions, type Method, type Tried } from "./call.js";
import type { Message } from "./codec.js";
import { BefriendError } from "./error.js";
import { backoff, sleep } from "./time.js";

/** The longest pause before a watch is opened again, in milliseconds. */
const LONGEST_PAUSE = 30_000;

/** A stream that ends within this time, in milliseconds, makes the pauses longer, even if it brought messages. */
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
  let anew = isFromBeginning(request);
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
  let anew = isFromBeginning(request);
  // Whether another token was asked for since the last message.
  let renewed = false;
  // How many streams in a row brought no message or ended at once.
  let failures = 0;
  for (;;) {
    const opened = performance.now();
    const tried: Tried = { token: undefined, sent: false, tokenless: false };
    let isEmpty = true;
    let atLeast = 0;
    try {
      for await (const message of caller.stream(method, next, options, tried)) {
        received = true;
        renewed = false;
        isEmpty = false;
        next = { ...next, sinceVersion: message["nextVersion"] };
        yield anew ? { ...message, fullResync: true } : message;
        anew = false;
      }
    } catch (error) {
      if (isAhead(error) && !anew) {
        next = { ...next, sinceVersion: 0n };
        anew = true;
      } else if (!renewed && isRefused(error, caller, tried)) {
        renewed = true;
      } else if (goesOn(error, received || (!tried.tokenless && failures + 1 < ATTEMPTS))) {
        atLeast = (error as BefriendError).retryAfterMs ?? 0;
      } else {
        throw error;
      }
    }
    failures = isEmpty || performance.now() - opened < QUICK ? failures + 1 : 0;
    // Each pause has a part that is drawn at random: a service that stops ends the watches of all its clients at once.
    await sleep(atLeast + backoff(Math.max(failures, 1), LONGEST_PAUSE), options.signal);
  }
}

/**
 * Whether the request asks for a whole list. The service takes a copy of version 0 for an empty one, and does not tell
 * it of all that was removed; but the copy may have the entries of a walk that broke off, and is to drop them.
 */
function isFromBeginning({ sinceVersion, pageToken }: Message): boolean {
  return Number(sinceVersion ?? 0) === 0 && (pageToken ?? "") === "";
}

/** Whether the version of the request is higher than the list's. */
function isAhead(error: unknown): boolean {
  return error instanceof BefriendError && error.reason === "VERSION_AHEAD";
}

function isRefused(error: unknown, caller: Caller, tried: Tried): boolean {
  return error instanceof BefriendError && error.reason === "UNAUTHENTICATED" && caller.refused(tried.token);
}

/** Whether a watch that ended with this error is opened again; `unreached` says that it is if nobody was reached. */
function goesOn(error: unknown, unreached: boolean): boolean {
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
      return isPassing && unreached;
    }
    default:
      // The service may be newer than this client, and have a reason that the client does not know.
      return error.code === "unavailable" || error.code === "deadline_exceeded";
  }
}
