// The client: the services of the protos as properties.

import { Caller, type CallOptions, type Method } from "./call.js";
import type { Message } from "./codec.js";
import { methods } from "./generated/methods.js";
import type { Services } from "./generated/services.js";
import { brought, fixed, issued, type Tokens } from "./token.js";
import { walk, watch } from "./walks.js";

/** How a client calls, and what it proves itself by. */
export interface ClientOptions {
  /** The app's client_id; with the client_secret the client gets tokens and renews them. */
  readonly clientId?: string;
  /** The app's client_secret. */
  readonly clientSecret?: string;
  /** A token, or a function that brings one: it is asked for each try, and should keep the token while it is valid. */
  readonly token?: string | (() => string | Promise<string>);
  /** The deadline of calls, all tries together, in milliseconds: 10000 by default. */
  readonly timeoutMs?: number;
  /** The function that sends requests, instead of the global fetch. */
  readonly fetch?: typeof fetch;
}

/** The deadline of calls that name none, in milliseconds. */
const TIMEOUT = 10_000;

/**
 * A client of befriend. It can be used by any number of calls at once, and needs no closing.
 *
 * ```ts
 * const client = new Client("http://127.0.0.1:50051", { clientId: "…", clientSecret: "…" });
 * await client.friends.addFriend({ owner: "alice", friend: "bob" });
 * ```
 */
export class Client {
  /** `url` is where befriend takes calls, as "https://befriend.example"; a path before the methods' may follow. */
  constructor(url: string, options: ClientOptions = {}) {
    const { protocol } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") {
      throw new TypeError(`the URL of befriend begins with http:// or https://, not as ${JSON.stringify(url)}`);
    }
    const base = url.replace(/\/+$/, "");
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    const timeoutMs = options.timeoutMs ?? TIMEOUT;
    const caller = new Caller(base, fetch, timeoutMs, tokensOf(base, fetch, timeoutMs, options));
    for (const [name, service] of Object.entries(methods)) {
      Object.defineProperty(this, name, { value: serviceOf(caller, service), enumerable: true });
    }
  }
}

// The constructor makes a property of each service.
export interface Client extends Services {}

function tokensOf(url: string, fetch: typeof globalThis.fetch, timeoutMs: number, options: ClientOptions): Tokens {
  const { clientId, clientSecret, token } = options;
  if (clientId === undefined || clientSecret === undefined) {
    return typeof token === "function" ? brought(token) : fixed(token);
  }
  const caller = new Caller(url, fetch, timeoutMs, fixed(undefined));
  // A second token does no harm.
  const method: Method = { ...methods.tokens.issueToken, repeatable: true };
  return issued(async () => {
    const { accessToken, expiresIn } = await caller.call(method, { clientId, clientSecret });
    return { accessToken: accessToken as string, expiresInMs: (expiresIn as number | undefined) ?? 0 };
  });
}

/** The functions of a service. */
function serviceOf(caller: Caller, service: Readonly<Record<string, Method>>): object {
  const functions: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(service)) {
    functions[name] = method.streams
      ? (request: Message, options: CallOptions = {}) => watch(caller, method, request, options)
      : (request: Message, options: CallOptions = {}) => caller.call(method, request, options);
    if (method.pages !== undefined) {
      functions[method.pages.name] = (request: Message, options: CallOptions = {}) =>
        walk(caller, method, request, options);
    }
  }
  return Object.freeze(functions);
}
