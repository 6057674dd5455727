// Watches that go on and watches that end, and copies of lists, against servers that stand in for befriend.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BlockList, Client, FriendList } from "befriend";

import { all, envelope, json, refusal, standIn, stream } from "./support.mjs";

const ALICE = { owner: "alice" };
const broken = (response) => response.destroy();
/** A stream with one message that ends with this error. */
const message = (nextVersion, error) => stream(envelope(0, { nextVersion }), envelope(2, error === undefined ? {} : { error }));
const ends = (...error) => stream(envelope(2, { error: refusal(...error) }));
const GONE = ends("not_found", "USER_NOT_FOUND");
/** An answer of this status that breaks off within its body. */
const breaksOff = (status) => (response) => {
  response.writeHead(status, { "content-type": "application/json", "content-length": "100", "x-request-id": "r7" });
  response.write('{"code":');
  setImmediate(() => response.destroy());
};

test("a watch renews its token also if an opening failed just before", async () => {
  const refused = ends("unauthenticated", "UNAUTHENTICATED");
  const { url, requests } = await standIn(message("1"), broken, refused, message("2"), GONE);
  let brought = 0;
  const watching = new Client(url, { token: () => `bft_${++brought}` }).friends.watchFriends(ALICE);
  await assert.rejects(all(watching), { reason: "USER_NOT_FOUND" });
  assert.equal(requests.length, 5);
});

test("a watch goes on after what a newer service says of itself, and after deadlines", async () => {
  const { url, requests } = await standIn(
    json(503, refusal("unavailable", "OF_A_NEWER_SERVICE")),
    ends("deadline_exceeded", "DEADLINE_EXCEEDED"),
    ends("failed_precondition", "OF_A_NEWER_SERVICE"),
  );
  await assert.rejects(all(new Client(url).friends.watchFriends(ALICE)), { code: "failed_precondition" });
  assert.equal(requests.length, 3);
});

test("a watch goes on after an error whose answer breaks off, and after an answer that is none", async () => {
  const { url, requests } = await standIn(breaksOff(503), breaksOff(404), stream(envelope(0, null)), message("4"), GONE);
  const messages = new Client(url).friends.watchFriends(ALICE);
  const first = await messages.next();
  assert.equal(first.value.nextVersion, 4n);
  await assert.rejects(all(messages), { reason: "USER_NOT_FOUND" });
  assert.equal(requests.length, 5);
});

test("an answer that breaks off is a connection that broke", async () => {
  for (const [status, said] of [[503, /HTTP 503.*broke off/], [404, /HTTP 404.*broke off/]]) {
    const { url, requests } = await standIn(breaksOff(status));
    const call = new Client(url).friends.sendFriendRequest({ requester: "alice", recipient: "bob" });
    const broke = { name: "BefriendError", code: "unavailable", reason: undefined, requestId: "r7", unsent: false, message: said };
    await assert.rejects(call, broke);
    assert.equal(requests.length, 1);
  }
});

test("an answer that is no message of befriend is told", async () => {
  for (const body of [null, 7, [], { friend: { version: "seven" } }]) {
    const { url } = await standIn(json(200, body));
    await assert.rejects(new Client(url).friends.getFriend({ owner: "alice", friend: "bob" }), { name: "BefriendError", code: "unknown" });
  }
});

test("reasons are the service's own, not a proxy's", async () => {
  const error = refusal("unavailable", "RATE_LIMITED");
  const [info] = error.details;
  info.value = btoa(atob(info.value).replace("befriend.v1", "example.com"));
  const { url, requests } = await standIn(json(503, error));
  const call = new Client(url).friends.sendFriendRequest({ requester: "alice", recipient: "bob" });
  await assert.rejects(call, { code: "unavailable", reason: undefined, metadata: {} });
  assert.equal(requests.length, 1);
});

test("a token that is not to be had is asked for five times, by calls and by watches", async () => {
  const call = await standIn(json(503, refusal("unavailable", "UNAVAILABLE")));
  const credentials = { clientId: "bfc_1", clientSecret: "bfs_1" };
  const add = new Client(call.url, credentials).friends.addFriend({ owner: "alice", friend: "bob" }, { timeoutMs: 60_000 });
  await assert.rejects(add, { reason: "UNAVAILABLE" });
  assert.equal(call.requests.length, 5);
  const watch = await standIn(broken);
  await assert.rejects(all(new Client(watch.url, credentials).friends.watchFriends(ALICE)), { code: "unavailable" });
  assert.equal(watch.requests.length, 5);
});

test("streams that end at once are opened ever more slowly, though each brings a message", async () => {
  const { url } = await standIn(message("1"), message("2"), message("3"), message("4"), GONE);
  const began = performance.now();
  await assert.rejects(all(new Client(url).friends.watchFriends(ALICE)), { reason: "USER_NOT_FOUND" });
  // 100, 200, 400 and 800 ms, or at least half of each.
  assert.ok(performance.now() - began >= 749, "the pauses were too short");
});

test("the copy of a list that is read anew has no version until the walk is complete", async () => {
  const page = (changes, more) => ({ changes, ...more });
  for (const [list, iterate, content, change] of [
    [new FriendList(), "iterateSyncFriends", (list) => list.friends, (name) => ({ upserted: { username: name } })],
    [new BlockList(), "iterateSyncBlocks", (list) => list.usernames, (name) => ({ blocked: name })],
  ]) {
    const service = iterate === "iterateSyncFriends" ? "friends" : "blocks";
    const { url } = await standIn(
      json(400, refusal("failed_precondition", "VERSION_AHEAD")),
      json(200, page([change("bob")], { nextVersion: "2", hasMore: true, nextPageToken: "p" })),
      json(404, refusal("not_found", "USER_NOT_FOUND")),
      json(200, { changes: [change("carol")], nextVersion: "3" }),
    );
    list.version = 9n;
    const sync = async () => {
      for await (const page of new Client(url)[service][iterate]({ owner: "alice", sinceVersion: list.version })) {
        list.apply(page);
      }
    };
    await assert.rejects(sync(), { reason: "USER_NOT_FOUND" });
    assert.deepEqual([list.version, [...content(list).keys()]], [0n, ["bob"]]);
    await sync();
    assert.deepEqual([list.version, [...content(list).keys()]], [3n, ["carol"]]);
  }
});
