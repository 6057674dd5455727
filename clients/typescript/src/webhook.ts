// Verifies callbacks. Secrets of callback rules belong on servers, so this is no part of what pages load.

import { base64 } from "./details.js";

/** An event in the standard format. */
export interface CallbackEvent {
  /** The type, as "friend.added". */
  readonly type: string;
  /** When it happened. */
  readonly timestamp: Date;
  readonly data: {
    /** The app's key, as "acme#chat". */
    readonly app: string;
    readonly owner: string;
    readonly friend: string;
    /** The owner's version after the change. */
    readonly version: bigint;
    /** Of "friend.remark_set". */
    readonly remark?: string;
    /** Of friend requests. */
    readonly message?: string;
  };
}

/** The headers of a request: of fetch, of Node.js, or a plain object. */
export type CallbackHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** How a callback is verified. */
export interface VerifyOptions {
  /** The time, in milliseconds since 1970; now by default. */
  readonly now?: number;
  /** How far the time of the callback may be from it, in milliseconds: 5 minutes by default. */
  readonly toleranceMs?: number;
}

/** A callback that befriend has not sent, or not lately, or that was changed on its way. */
export class VerificationError extends Error {
  override readonly name = "VerificationError";
}

const TOLERANCE = 5 * 60 * 1000;

/**
 * Verifies a callback in the standard format, and returns its event. `secret` is the rule's "whsec_…", or several while
 * one replaces the other; `body` is what came, not parsed and written again.
 *
 * Throws VerificationError, also for a body that is no event; and TypeError for a secret that is none of a rule's.
 */
export async function verifyCallback(
  secret: string | readonly string[],
  headers: CallbackHeaders,
  body: string | Uint8Array,
  options: VerifyOptions = {},
): Promise<CallbackEvent> {
  await verifySignature(secret, headers, body, options);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  try {
    const event = JSON.parse(text) as { type: string; timestamp: string; data: Record<string, unknown> };
    const data = { ...event.data, version: BigInt((event.data["version"] as number | undefined) ?? 0) };
    return { ...event, timestamp: new Date(event.timestamp), data: data as CallbackEvent["data"] };
  } catch {
    throw new VerificationError("the signature is right, but the body is no event in the standard format");
  }
}

/**
 * Verifies a callback in any format of the body. Throws VerificationError, and TypeError for a secret that is none of
 * a rule's.
 */
export async function verifySignature(
  secret: string | readonly string[],
  headers: CallbackHeaders,
  body: string | Uint8Array,
  { now = Date.now(), toleranceMs = TOLERANCE }: VerifyOptions = {},
): Promise<void> {
  const keys = keysOf(typeof secret === "string" ? [secret] : secret);
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new VerificationError("webhook-timestamp is no number");
  }
  if (Math.abs(now - Number(timestamp) * 1000) > toleranceMs) {
    throw new VerificationError("webhook-timestamp is too far from now");
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const begin = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(begin.length + bytes.length);
  signed.set(begin);
  signed.set(bytes, begin.length);

  const subtle = await webCrypto();
  for (const raw of keys) {
    const key = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of signatures) {
      const mac = macOf(signature);
      // `verify` takes the same time for all wrong signatures.
      if (mac !== undefined && (await subtle.verify("HMAC", key, mac, signed))) {
        return;
      }
    }
  }
  throw new VerificationError("no signature fits the body and the secret");
}

/** The keys of secrets. A mistake in the receiver's settings is told as such, not as a callback that is refused. */
function keysOf(secrets: readonly string[]): Uint8Array[] {
  const keys = secrets.map((secret) => {
    try {
      const key = /^whsec_./.test(secret) ? base64(secret.slice("whsec_".length)) : undefined;
      if (key !== undefined && key.length > 0) {
        return key;
      }
    } catch {
      // No base64.
    }
    throw new TypeError("the secret is not a callback rule's, which is whsec_ and base64");
  });
  if (keys.length === 0) {
    throw new TypeError("a callback is verified with at least one secret");
  }
  return keys;
}

/** The bytes of a signature of version 1. */
function macOf(signature: string): Uint8Array | undefined {
  try {
    return signature.startsWith("v1,") ? base64(signature.slice(3)) : undefined;
  } catch {
    return undefined;
  }
}

function header(headers: CallbackHeaders, name: string): string {
  let value: unknown;
  if (typeof headers.get === "function") {
    value = headers.get(name);
  } else {
    const found = Object.entries(headers).find(([other]) => other.toLowerCase() === name);
    value = Array.isArray(found?.[1]) ? found?.[1][0] : found?.[1];
  }
  if (typeof value !== "string") {
    throw new VerificationError(`the header ${name} is missing`);
  }
  return value;
}

/** Node.js 18 has the Web Crypto API only as a module. */
async function webCrypto(): Promise<SubtleCrypto> {
  const global = (globalThis as { crypto?: Crypto }).crypto;
  return global?.subtle ?? (await import("node:crypto")).webcrypto.subtle;
}
