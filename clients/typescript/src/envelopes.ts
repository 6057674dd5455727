// The envelopes in which streams carry messages: a byte of flags, four bytes of length, big end first, and JSON.

import type { Message } from "./codec.js";
import { BefriendError, errorOfFetch } from "./error.js";

const PREFIX = 5;

/** The flag of the last envelope, which says how the stream ended. */
const END = 2;

/** A message in its envelope. */
export function envelope(json: string): Uint8Array {
  const message = new TextEncoder().encode(json);
  const bytes = new Uint8Array(PREFIX + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, PREFIX);
  return bytes;
}

/** The messages of a stream as they come. The last one tells how the stream ended; without it, it was cut off. */
export async function* messages(response: Response): AsyncGenerator<{ ends: boolean; json: Message | null }, void> {
  const reader = response.body?.getReader();
  let left = new Uint8Array(0);
  for (;;) {
    const { message, rest } = first(left);
    if (message !== undefined) {
      left = rest;
      const ends = (message.flags & END) !== 0;
      yield { ends, json: parse(message) };
      if (ends) {
        return;
      }
      continue;
    }
    let next: { done: boolean; value?: Uint8Array | undefined } | undefined;
    try {
      next = await reader?.read();
    } catch (error) {
      throw errorOfFetch(error);
    }
    if (next?.value === undefined) {
      throw new BefriendError("unavailable", "the stream was cut off");
    }
    left = joined(left, next.value);
  }
}

interface Envelope {
  flags: number;
  json: Uint8Array;
}

/** The first envelope, if it has come as a whole. */
function first(bytes: Uint8Array): { message?: Envelope; rest: Uint8Array } {
  if (bytes.length < PREFIX) {
    return { rest: bytes };
  }
  const end = PREFIX + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  if (bytes.length < end) {
    return { rest: bytes };
  }
  return { message: { flags: bytes[0] ?? 0, json: bytes.subarray(PREFIX, end) }, rest: bytes.subarray(end) };
}

function parse({ json }: Envelope): Message | null {
  try {
    return JSON.parse(new TextDecoder().decode(json)) as Message | null;
  } catch (cause) {
    throw new BefriendError("unknown", "the stream has a message that is no JSON", { cause });
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
