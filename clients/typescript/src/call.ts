// Calls of methods by the Connect protocol, with the habits that all calls have: a deadline, a token, and retries that
// can do no harm.

import { readAnswer, writeMessage, type Message, type Shape } from "./codec.js";
import { envelope, messages } from "./envelopes.js";
import { BefriendError, errorOf, errorOfFetch, errorOfResponse } from "./error.js";
import { backoff, Deadline, PassedDeadline, sleep, unlessAborted, within } from "./time.js";
import type { Tokens } from "./token.js";

/** What the protos say of a method. */
export interface Method {
  /** "befriend.v1.FriendService/AddFriend". */
  readonly path: string;
  /** Whether a second call does no harm if the first has happened. */
  readonly repeatable: boolean;
  /** Whether the answer is a stream. */
  readonly streams?: true;
  /** The method that walks over all pages, and the field of the answer that it yields; none for whole pages. */
  readonly pages?: { readonly name: string; readonly entries?: string };
  readonly request: Shape;
  readonly response: Shape;
}

/** What a single call may have of its own. */
export interface CallOptions {
  /** Ends the call or the stream: it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** The deadline in milliseconds, all tries together, instead of the client's; not for watches. */
  readonly timeoutMs?: number;
  /** Further headers, as x-request-id or traceparent. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** How often a call is tried in all. */
export const ATTEMPTS = 5;

/** The longest pause between two tries that the client makes by itself, in milliseconds. */
const LONGEST_PAUSE = 2000;

/** The only method that is called without a token. */
const ISSUE = "befriend.v1.TokenService/IssueToken";

/** Makes calls. */
export class Caller {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  readonly #tokens: Tokens;

  constructor(url: string, fetch: typeof globalThis.fetch, timeoutMs: number, tokens: Tokens) {
    this.#url = url;
    this.#fetch = fetch;
    this.#timeoutMs = timeoutMs;
    this.#tokens = tokens;
  }

  /** Calls a method with one answer. */
  async call(method: Method, request: Message, options: CallOptions = {}): Promise<Message> {
    const body = JSON.stringify(writeMessage(method.request, request));
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs);
    const { signal } = options;
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const tried: Tried = { token: undefined, sent: false, tokenless: false };
      try {
        return await within(deadline, signal, (signal) => this.#try(method, body, options, deadline, signal, tried));
      } catch (error) {
        if (error instanceof PassedDeadline) {
          throw new BefriendError("deadline_exceeded", "the call's deadline has passed at the client");
        }
        if (!(error instanceof BefriendError)) {
          throw error;
        }
        if (error.reason === "UNAUTHENTICATED" && !renewed && this.refused(tried.token)) {
          renewed = true;
          continue;
        }
        // A token was asked for often enough.
        if (tried.tokenless || attempt >= ATTEMPTS || !mayRepeat(error, method.repeatable || !tried.sent)) {
          throw error;
        }
        const pause = Math.max(error.retryAfterMs ?? 0, backoff(attempt, LONGEST_PAUSE));
        // A pause that the deadline would end tells the caller less than the error does.
        if (pause >= deadline.left()) {
          throw error;
        }
        await sleep(pause, signal);
      }
    }
  }

  /** Opens the stream of a method, once. `opened` is told the token of the call. */
  async *stream(method: Method, request: Message, options: CallOptions, opened: Tried): AsyncGenerator<Message, void> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(options.signal?.reason);
    options.signal?.throwIfAborted();
    options.signal?.addEventListener("abort", abort);
    try {
      opened.token = await this.#token(method, controller.signal, opened);
      const response = await this.#send(
        method,
        envelope(JSON.stringify(writeMessage(method.request, request))),
        { ...headersOf(options, opened.token), "content-type": "application/connect+json" },
        controller.signal,
      );
      for await (const { ends, json } of messages(response)) {
        if (!ends) {
          yield readAnswer(method.response, json);
        } else if (json?.["error"] !== undefined) {
          const requestId = response.headers.get("x-request-id") ?? undefined;
          throw errorOf(json["error"], "unknown", { requestId });
        }
      }
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      // Ends the connection's stream when the reader stops early.
      controller.abort();
    }
  }

  /** The service has refused a token. Returns whether another may be had. */
  refused(token: string | undefined): boolean {
    return token !== undefined && this.#tokens.refused(token);
  }

  async #try(
    method: Method,
    body: string,
    options: CallOptions,
    deadline: Deadline,
    signal: AbortSignal,
    tried: Tried,
  ): Promise<Message> {
    tried.token = await this.#token(method, signal, tried);
    const headers: Record<string, string> = { ...headersOf(options, tried.token), "content-type": "application/json" };
    const left = Math.ceil(deadline.left());
    // Ten digits are the most that the header may have.
    if (left < 1e10) {
      headers["connect-timeout-ms"] = String(Math.max(left, 1));
    }
    tried.sent = true;
    try {
      const response = await this.#send(method, body, headers, signal);
      return readAnswer(method.response, await read(response));
    } catch (error) {
      tried.sent = !(error instanceof BefriendError && error.unsent);
      throw error;
    }
  }

  async #token(method: Method, signal: AbortSignal, tried: Tried): Promise<string | undefined> {
    if (method.path === ISSUE) {
      return undefined;
    }
    try {
      return await unlessAborted(this.#tokens.current(), signal);
    } catch (error) {
      tried.tokenless = true;
      throw error;
    }
  }

  async #send(
    method: Method,
    body: string | Uint8Array,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response> {
    const fetch = this.#fetch;
    let response: Response;
    try {
      const request: RequestInit = { method: "POST", body, headers, signal, redirect: "error" };
      response = await fetch(`${this.#url}/${method.path}`, request);
    } catch (error) {
      throw errorOfFetch(error);
    }
    if (!response.ok) {
      throw await errorOfResponse(response);
    }
    return response;
  }
}

/** What is known of a try afterwards. */
export interface Tried {
  /** The token that it was made with. */
  token: string | undefined;
  /** Whether the service may have the request. */
  sent: boolean;
  /** Whether it failed because no token was to be had. Tokens are asked for with tries of their own. */
  tokenless: boolean;
}

/** Whether a call may be made again after this error; `harmless` says that it may even if it has happened. */
function mayRepeat(error: BefriendError, harmless: boolean): boolean {
  // With these the service says that nothing has happened.
  if (error.reason === "CONFLICT" || error.reason === "RATE_LIMITED") {
    return true;
  }
  return error.code === "unavailable" && harmless;
}

function headersOf(options: CallOptions, token: string | undefined): Record<string, string> {
  const headers: Record<string, string> = { ...options.headers, "connect-protocol-version": "1" };
  if (token !== undefined) {
    headers["authorization"] = `Bearer ${token}`;
  }
  return headers;
}

/** The JSON of an answer. */
async function read(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw errorOfFetch(error);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BefriendError("unknown", "the answer is no JSON: is this the URL of befriend?", { cause });
  }
}
