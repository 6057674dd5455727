// Callbacks: one that befriend sends is taken, and one that was changed, is old, or is another's is not.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { VerificationError, verifyCallback, verifySignature } from "befriend/webhook";

import { befriend, standIn } from "./support.mjs";

// The sample of docs/callbacks.md, as it stands there.
const page = await readFile(new URL("../../../docs/callbacks.md", import.meta.url), "utf8");
const sample = (pattern) => page.match(pattern)[1];
const SECRET = sample(/signed with the secret `(whsec_[^`]+)`/);
const BODY = sample(/```text\n(\{"type":.*\})\n```/);
const HEADERS = {
  "Webhook-Id": sample(/\nwebhook-id: (.*)\n/),
  "webhook-timestamp": sample(/\nwebhook-timestamp: (.*)\n/),
  "webhook-signature": sample(/\nwebhook-signature: (.*)\n/),
};
const NOW = Number(HEADERS["webhook-timestamp"]) * 1000;

test("a callback of a live befriend is verified", async () => {
  const server = await befriend();
  let arrived;
  const callback = new Promise((resolve) => (arrived = resolve));
  const receiver = await standIn((response, body, request) => {
    response.end();
    arrived({ body, headers: request.headers });
  });
  const { appKey, client, ...app } = server.app;
  const made = await server.operator.callbackRules.createCallbackRule({ appKey, url: receiver.url });
  await server.app.users("alice", "bob");
  const { friend } = await client.friends.addFriend({ owner: "alice", friend: "bob" });
  assert.equal(app.url, server.url);
  const { headers, body } = await callback;
  const event = await verifyCallback(made.signingSecret, headers, body);
  assert.equal(event.type, "friend.added");
  assert.deepEqual(event.data, { app: appKey, owner: "alice", friend: "bob", version: friend.version });
  // While a secret is being rotated, the receiver may know both.
  assert.deepEqual(await verifyCallback([SECRET, made.signingSecret], new Headers(headers), body.toString()), event);
  await assert.rejects(verifyCallback(SECRET, headers, body), VerificationError);
});

test("the documented sample is verified at its time", async () => {
  const event = await verifyCallback(SECRET, HEADERS, BODY, { now: NOW });
  assert.deepEqual(event, {
    type: "friend.added",
    timestamp: new Date("2026-11-21T12:00:00.123Z"),
    data: { app: "acme#chat", owner: "alice", friend: "bob", version: 7n },
  });
  await verifySignature(SECRET, HEADERS, new TextEncoder().encode(BODY), { now: NOW - 299_000 });
});

for (const [what, changed, body, now, why] of [
  ["another body", {}, BODY.replace("bob", "eve"), NOW, /signature/],
  ["another id", { "Webhook-Id": "evt_other" }, BODY, NOW, /signature/],
  ["no such signature", { "webhook-signature": "v1,AAAA v1,! v2,xxx" }, BODY, NOW, /signature/],
  ["an old one", {}, BODY, NOW + 301_000, /too far/],
  ["one of tomorrow", {}, BODY, NOW - 301_000, /too far/],
  ["a time that is none", { "webhook-timestamp": "soon" }, BODY, NOW, /no number/],
  ["a header that is missing", { "webhook-signature": undefined }, BODY, NOW, /webhook-signature is missing/],
]) {
  test(`a callback is refused: ${what}`, async () => {
    await assert.rejects(verifyCallback(SECRET, { ...HEADERS, ...changed }, body, { now }), { name: "VerificationError", message: why });
  });
}

test("a signed body that is no event is refused, and its signature is right", async () => {
  const { "Webhook-Id": id, "webhook-timestamp": timestamp } = HEADERS;
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  for (const body of ["a=b", "null", "{}", '{"type":"friend.added","data":{"version":"x"}}']) {
    const signature = `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
    const headers = { ...HEADERS, "webhook-signature": signature };
    await verifySignature(SECRET, headers, body, { now: NOW });
    await assert.rejects(verifyCallback(SECRET, headers, body, { now: NOW }), { name: "VerificationError", message: /no event/ });
  }
});

test("a secret that is none is told as such, before the callback is looked at", async () => {
  for (const secret of ["", "whsec_", "whsec_!", "undefined", SECRET.slice("whsec_".length), [], [SECRET, ""]]) {
    await assert.rejects(verifyCallback(secret, {}, BODY), { name: "TypeError", message: /secret/ });
  }
});

test("the example of a receiver takes what the secret has signed", async () => {
  const { receive } = await import("../examples/dist/receiver.js");
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = `v1,${createHmac("sha256", key).update(`evt_1.${timestamp}.${BODY}`).digest("base64")}`;
  const headers = { "webhook-id": "evt_1", "webhook-timestamp": timestamp, "webhook-signature": signature };
  const done = new Set();
  for (const [body, status] of [[BODY.replace("bob", "eve"), 401], [BODY, 204], [BODY, 204]]) {
    const request = new Request("http://receiver.example", { method: "POST", headers, body });
    assert.equal((await receive(request, SECRET, done)).status, status);
    assert.equal(done.has("evt_1"), status === 204);
  }
});
