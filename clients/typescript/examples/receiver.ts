// A receiver of callbacks, as a function from a request of fetch to its response: for Deno, Bun and servers like them.

import { VerificationError, verifyCallback } from "befriend/webhook";

/** Takes a callback. `secret` is the callback rule's; `done` has the ids of the events that were processed. */
export async function receive(request: Request, secret: string, done: Set<string>): Promise<Response> {
  const body = await request.text();
  try {
    const event = await verifyCallback(secret, request.headers, body);
    // An event may come twice.
    const id = request.headers.get("webhook-id") ?? "";
    if (!done.has(id)) {
      console.log(`${event.type}: ${event.data.owner} and ${event.data.friend}`);
      done.add(id);
    }
    return new Response(null, { status: 204 });
  } catch (error) {
    if (!(error instanceof VerificationError)) {
      throw error;
    }
    return new Response(error.message, { status: 401 });
  }
}
