// The habits that all calls have, against servers that stand in for befriend: what it answers is chosen there.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { BefriendError, Client } from "befriend";

import { all, envelope, json, refusal, standIn, stream } from "./support.mjs";

const ADD = { owner: "alice", friend: "bob" };
const SEND = { requester: "alice", recipient: "bob" };
const UNAVAILABLE = json(503, refusal("unavailable", "UNAVAILABLE"));
const ADDED = json(200, { friend: { username: "bob" } });
const NOTHING = json(200, {});

test("a call is a POST of JSON with a token, a deadline and the caller's headers", async () => {
  const { url, requests } = await standIn(ADDED);
  const client = new Client(`${url}/behind/`, { token: "bft_1" });
  await client.friends.addFriend(ADD, { timeoutMs: 4000, headers: { "x-request-id": "r1" } });
  const [{ path, headers, body }] = requests;
  assert.equal(path, "/behind/befriend.v1.FriendService/AddFriend");
  assert.equal(headers["authorization"], "Bearer bft_1");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["connect-protocol-version"], "1");
  assert.equal(headers["x-request-id"], "r1");
  const left = Number(headers["connect-timeout-ms"]);
  assert.ok(left > 0 && left <= 4000, `${left} ms`);
  assert.deepEqual(JSON.parse(body.toString()), ADD);
});

test("what may be repeated is repeated after UNAVAILABLE", async () => {
  const { url, requests } = await standIn(UNAVAILABLE, UNAVAILABLE, ADDED);
  const { friend } = await new Client(url).friends.addFriend(ADD);
  assert.equal(friend.username, "bob");
  assert.equal(requests.length, 3);
});

test("five tries are the most", async () => {
  const { url, requests } = await standIn(UNAVAILABLE);
  await assert.rejects(new Client(url).friends.addFriend(ADD), { code: "unavailable", reason: "UNAVAILABLE" });
  assert.equal(requests.length, 5);
});

test("what may not be repeated is not repeated after UNAVAILABLE", async () => {
  const { url, requests } = await standIn(UNAVAILABLE, NOTHING);
  await assert.rejects(new Client(url).friends.sendFriendRequest(SEND), { reason: "UNAVAILABLE" });
  assert.equal(requests.length, 1);
});

test("every call is repeated after CONFLICT and RATE_LIMITED, and no other after a full list", async () => {
  const conflict = json(409, refusal("aborted", "CONFLICT"));
  const limited = json(429, refusal("resource_exhausted", "RATE_LIMITED", 1));
  const full = json(429, refusal("resource_exhausted", "FRIEND_LIMIT_EXCEEDED"));
  const { url, requests } = await standIn(conflict, limited, full);
  await assert.rejects(new Client(url).friends.sendFriendRequest(SEND), { reason: "FRIEND_LIMIT_EXCEEDED" });
  assert.equal(requests.length, 3);
});

test("the pause is at least the one of RetryInfo, or of Retry-After", async () => {
  const { url } = await standIn(json(503, refusal("unavailable", "UNAVAILABLE", 700)), ADDED);
  const began = performance.now();
  await new Client(url).friends.addFriend(ADD);
  assert.ok(performance.now() - began >= 699, "the pause was too short");

  const proxy = await standIn((response) => response.writeHead(503, { "retry-after": "20" }).end("<html>"));
  // Nobody waits for longer than the call may take.
  await assert.rejects(new Client(proxy.url).friends.addFriend(ADD), { code: "unavailable", retryAfterMs: 20_000 });
  assert.equal(proxy.requests.length, 1);
});

test("a connection that was refused has sent nothing, so every call is repeated", async () => {
  const { url, server } = await standIn(NOTHING);
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  let tries = 0;
  const again = createServer((_, response) => NOTHING(response));
  const counting = async (input, init) => {
    // After the first refusal the server is there again.
    if (++tries === 2) {
      await new Promise((resolve) => again.listen(port, "127.0.0.1", resolve));
    }
    return fetch(input, init);
  };
  await new Client(url, { fetch: counting }).friends.sendFriendRequest(SEND);
  again.close();
  again.closeAllConnections();
  assert.equal(tries, 2);
});

test("Deno's and Bun's errors of connections that were not made are known, too", async () => {
  const deno = new TypeError("error sending request for url (…): client error (Connect): tcp connect error");
  const bun = Object.assign(new Error("Unable to connect. Is the computer able to access the url?"), { code: "ConnectionRefused" });
  for (const refused of [deno, bun]) {
    const { url, requests } = await standIn(NOTHING);
    let tries = 0;
    const refusing = async (input, init) => {
      if (++tries === 1) {
        throw refused;
      }
      return fetch(input, init);
    };
    await new Client(url, { fetch: refusing }).friends.sendFriendRequest(SEND);
    assert.deepEqual([tries, requests.length], [2, 1]);
  }
});

test("a connection that broke may have sent the call, so only some are repeated", async () => {
  const broken = (response) => response.destroy();
  const { url, requests } = await standIn(broken);
  const error = await new Client(url).friends.sendFriendRequest(SEND).catch((error) => error);
  assert.ok(error instanceof BefriendError);
  assert.deepEqual([error.code, error.reason, error.unsent], ["unavailable", undefined, false]);
  assert.equal(requests.length, 1);

  const reads = await standIn(broken, ADDED);
  await new Client(reads.url).friends.addFriend(ADD);
  assert.equal(reads.requests.length, 2);
});

test("a call that is not answered ends at its deadline", async () => {
  const { url } = await standIn(() => {});
  const call = new Client(url, { timeoutMs: 50 }).friends.addFriend(ADD);
  await assert.rejects(call, { code: "deadline_exceeded", reason: undefined });
});

test("a call ends with the reason of its signal, also during a pause", async () => {
  const { url, requests } = await standIn(() => {});
  const controller = new AbortController();
  const call = new Client(url).friends.addFriend(ADD, { signal: controller.signal });
  const why = new Error("not needed any longer");
  controller.abort(why);
  await assert.rejects(call, why);
  await assert.rejects(new Client(url).friends.addFriend(ADD, { signal: controller.signal }), why);

  const pausing = await standIn((response) => {
    json(503, refusal("unavailable", "UNAVAILABLE", 900))(response);
    response.on("close", () => later.abort(why));
  });
  const later = new AbortController();
  await assert.rejects(new Client(pausing.url).friends.addFriend(ADD, { signal: later.signal }), why);
  assert.equal(pausing.requests.length, 1);
  assert.ok(requests.length <= 1);
});

test("calls at once wait for the same token, and the credentials go only to IssueToken", async () => {
  const { url, requests } = await standIn((response, _, request) => {
    const token = { accessToken: "bft_9", expiresIn: "3600s" };
    json(200, request.url.endsWith("IssueToken") ? token : {})(response);
  });
  const client = new Client(url, { clientId: "bfc_1", clientSecret: "bfs_1" });
  await Promise.all(Array.from({ length: 4 }, () => client.friends.addFriend(ADD)));
  const issued = requests.filter(({ path }) => path === "/befriend.v1.TokenService/IssueToken");
  assert.equal(issued.length, 1);
  assert.deepEqual(JSON.parse(issued[0].body.toString()), { clientId: "bfc_1", clientSecret: "bfs_1" });
  assert.equal(issued[0].headers["authorization"], undefined);
  const others = requests.filter((request) => request !== issued[0]);
  assert.deepEqual(others.map(({ headers }) => headers["authorization"]), Array(4).fill("Bearer bft_9"));
  assert.ok(!JSON.stringify(client).includes("bfs_1"));
});

test("a token is renewed when most of its life is over", async () => {
  let issued = 0;
  const { url, requests } = await standIn((response, _, request) => {
    const isIssue = request.url.endsWith("IssueToken");
    json(200, isIssue ? { accessToken: `bft_${++issued}`, expiresIn: "0s" } : {})(response);
  });
  const client = new Client(url, { clientId: "bfc_1", clientSecret: "bfs_1" });
  await client.friends.addFriend(ADD);
  await client.friends.addFriend(ADD);
  const bearers = requests.map(({ headers }) => headers["authorization"]).filter(Boolean);
  assert.deepEqual(bearers, ["Bearer bft_1", "Bearer bft_2"]);
});

test("a token that is refused is brought anew once", async () => {
  const refused = json(401, refusal("unauthenticated", "UNAUTHENTICATED"));
  const { url, requests } = await standIn(refused);
  let brought = 0;
  const client = new Client(url, { token: async () => `bft_${++brought}` });
  await assert.rejects(client.friends.sendFriendRequest(SEND), { reason: "UNAUTHENTICATED" });
  assert.deepEqual(requests.map(({ headers }) => headers["authorization"]), ["Bearer bft_1", "Bearer bft_2"]);

  await assert.rejects(new Client(url, { token: "bft_0" }).friends.addFriend(ADD), { reason: "UNAUTHENTICATED" });
  assert.equal(requests.length, 3);
});

test("values are written as JSON has them", async () => {
  const { url, requests } = await standIn(NOTHING);
  const client = new Client(url);
  await client.tokens.issueToken({ clientId: "a", ttl: 90_500 });
  const updatedAfter = new Date("2026-11-21T12:00:00.123Z");
  await client.friends.syncFriends({ owner: "a", sinceVersion: 9007199254740993n, updatedAfter });
  await client.friends.updateFriend({ remark: undefined, updateMask: ["remark", "server_extension"] });
  assert.deepEqual(requests.map(({ body }) => JSON.parse(body.toString())), [
    { clientId: "a", ttl: "90.500000000s" },
    { owner: "a", sinceVersion: "9007199254740993", updatedAfter: "2026-11-21T12:00:00.123Z" },
    { updateMask: "remark,serverExtension" },
  ]);
});

test("what a newer service adds is left out, and what it leaves out has its default", async () => {
  const { url } = await standIn(json(200, { friend: { version: "9007199254740993", mood: "good" }, more: [1] }));
  const { friend, ...others } = await new Client(url).friends.getFriend(ADD);
  const empty = { username: "", remark: "", extension: "", serverExtension: "", bidirectional: false };
  assert.deepEqual(friend, { ...empty, version: 9007199254740993n });
  assert.deepEqual(others, {});
});

test("a page that is not befriend is told", async () => {
  const { url } = await standIn((response) => response.writeHead(404).end("<html>not here"));
  await assert.rejects(new Client(url).friends.addFriend(ADD), { code: "unimplemented", reason: undefined, message: /HTTP 404.*not here/ });
  const web = await standIn((response) => response.writeHead(200).end("<html>welcome"));
  await assert.rejects(new Client(web.url).friends.addFriend(ADD), { code: "unknown", message: /is this the URL/ });
  assert.throws(() => new Client("localhost:50051"), /begins with http/);
});

test("a watch goes on after the end of a stream, in pieces of any size, from the last version", async () => {
  const one = envelope(0, { nextVersion: "4", upToDate: true });
  const byByte = (response) => {
    response.writeHead(200, { "content-type": "application/connect+json" });
    for (const byte of Buffer.concat([one, envelope(2, {})])) {
      response.write(Buffer.from([byte]));
    }
    response.end();
  };
  const cut = stream(envelope(0, { nextVersion: "5" }), one.subarray(0, 3));
  const slow = stream(envelope(0, { nextVersion: "6" }), envelope(2, { error: refusal("aborted", "WATCHER_TOO_SLOW") }));
  const gone = stream(envelope(2, { error: refusal("not_found", "USER_NOT_FOUND") }));
  const { url, requests } = await standIn(byByte, cut, UNAVAILABLE, slow, gone);
  const versions = [];
  await assert.rejects(async () => {
    for await (const { nextVersion } of new Client(url).friends.watchFriends({ owner: "alice", sinceVersion: 3n })) {
      versions.push(nextVersion);
    }
  }, { reason: "USER_NOT_FOUND" });
  assert.deepEqual(versions, [4n, 5n, 6n]);
  const asked = requests.map(({ body }) => JSON.parse(body.subarray(5).toString()).sinceVersion);
  assert.deepEqual(asked, ["3", "4", "5", "5", "6"]);
  assert.equal(requests[0].headers["content-type"], "application/connect+json");
  assert.equal(requests[0].body.readUInt32BE(1), requests[0].body.length - 5);
});

test("a watch renews its token once between two messages", async () => {
  const refused = stream(envelope(2, { error: refusal("unauthenticated", "UNAUTHENTICATED") }));
  const message = stream(envelope(0, { nextVersion: "1" }), envelope(2, { error: refusal("unauthenticated", "UNAUTHENTICATED") }));
  const { url, requests } = await standIn(refused, message, refused);
  let brought = 0;
  const watching = new Client(url, { token: () => `bft_${++brought}` }).blocks.watchBlocks({ owner: "alice" });
  await assert.rejects(all(watching), { reason: "UNAUTHENTICATED" });
  assert.equal(requests.length, 3);
});

test("a watch that has reached nobody gives up as a call does", async () => {
  const { url, requests } = await standIn((response) => response.destroy());
  await assert.rejects(all(new Client(url).friends.watchFriends({ owner: "alice" })), { code: "unavailable" });
  assert.equal(requests.length, 5);
});
