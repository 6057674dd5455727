// The client's calls against a real befriend.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BefriendError, BlockList, Client, FriendList } from "befriend";

import { all, befriend } from "./support.mjs";

const server = await befriend();

test("friends, remarks, blocks and checks", async () => {
  const { client, users } = await appWith("alice", "bob", "carol");
  assert.deepEqual(users, ["alice", "bob", "carol"]);
  const before = Date.now() - 60_000;
  const { friend, user } = await client.friends.addFriend({ owner: "alice", friend: "BOB" });
  assert.equal(friend.username, "bob");
  assert.equal(friend.remark, "");
  assert.equal(friend.bidirectional, true);
  assert.equal(typeof friend.version, "bigint");
  assert.ok(friend.createTime instanceof Date && friend.createTime.getTime() > before);
  assert.equal(user.username, "bob");

  await client.friends.setRemark({ owner: "alice", friend: "bob", remark: "from the gym — 健身房" });
  const { entries, nextPageToken } = await client.friends.listFriends({ owner: "alice", includeRemark: true });
  assert.deepEqual(entries, [{ username: "bob", remark: "from the gym — 健身房" }]);
  assert.equal(nextPageToken, "");

  await client.blocks.blockUsers({ owner: "bob", usernames: ["alice"] });
  const { relations } = await client.relations.checkRelations({ username: "alice", others: ["bob", "carol"] });
  assert.deepEqual(relations, [
    { username: "bob", isFriend: true, blocks: false, blockedBy: true },
    { username: "carol", isFriend: false, blocks: false, blockedBy: false },
  ]);
  assert.deepEqual(await client.friends.listAllFriends({ owner: "carol" }), { usernames: [], totalSize: 0 });
});

test("fields of an update are named by a mask", async () => {
  const { client } = await appWith("alice", "bob");
  await client.friends.addFriend({ owner: "alice", friend: "bob", serverExtension: "7" });
  await client.friends.setRemark({ owner: "alice", friend: "bob", remark: "Bob" });
  const pair = { owner: "alice", friend: "bob" };
  const { friend } = await client.friends.updateFriend({ ...pair, extension: "x", updateMask: ["extension", "server_extension"] });
  assert.deepEqual([friend.remark, friend.extension, friend.serverExtension], ["Bob", "x", ""]);
});

test("friend requests have enums, times and absent fields", async () => {
  const { client } = await appWith("alice", "bob");
  const { friendRequest } = await client.friends.sendFriendRequest({ requester: "alice", recipient: "bob" });
  assert.equal(friendRequest.state, "FRIEND_REQUEST_STATE_PENDING");
  assert.ok(friendRequest.expireTime > friendRequest.createTime);
  await client.friends.acceptFriendRequest({ requester: "alice", recipient: "bob" });
  const accepted = client.friends.iterateFriendRequests({
    username: "bob",
    direction: "FRIEND_REQUEST_DIRECTION_INCOMING",
    states: ["FRIEND_REQUEST_STATE_ACCEPTED"],
  });
  const [one, ...others] = await all(accepted);
  assert.equal(one.requester, "alice");
  assert.ok(!("expireTime" in one));
  assert.deepEqual(others, []);
});

test("a walk over pages yields every entry", async () => {
  const names = Array.from({ length: 7 }, (_, number) => `friend${number}`);
  const { client } = await appWith("alice", ...names);
  await client.friends.importFriends({ owner: "alice", usernames: names });
  const entries = await all(client.friends.iterateFriends({ owner: "alice", pageSize: 3 }));
  assert.deepEqual(entries, names.map((username) => ({ username })));
  const users = await all(client.users.iterateUsers({ pageSize: 5 }));
  assert.equal(users.length, 8);
  for await (const { username } of client.friends.iterateFriends({ owner: "alice", pageSize: 1 })) {
    assert.equal(username, "friend0");
    break;
  }
});

test("a copy is brought up to date by pages", async () => {
  const { client } = await appWith("alice", "bob", "carol", "dave");
  const list = new FriendList();
  const sync = async () => {
    for await (const page of client.friends.iterateSyncFriends({ owner: "alice", sinceVersion: list.version, pageSize: 1 })) {
      list.apply(page);
    }
    return [...list.friends.keys()].sort();
  };
  await client.friends.importFriends({ owner: "alice", usernames: ["bob", "carol", "dave"] });
  assert.deepEqual(await sync(), ["bob", "carol", "dave"]);
  await client.friends.removeFriend({ owner: "alice", friend: "bob" });
  assert.deepEqual(await sync(), ["carol", "dave"]);

  // As after the service was restored from a backup.
  const now = list.version;
  list.version += 1000n;
  list.friends.set("ghost", list.friends.get("carol"));
  assert.deepEqual(await sync(), ["carol", "dave"]);
  assert.equal(list.version, now);

  const blocks = new BlockList();
  await client.blocks.blockUsers({ owner: "alice", usernames: ["bob", "dave"] });
  await client.blocks.unblockUser({ owner: "alice", username: "dave" });
  for await (const page of client.blocks.iterateSyncBlocks({ owner: "alice" })) {
    blocks.apply(page);
  }
  assert.deepEqual([...blocks.usernames], ["bob"]);
});

test("a watch brings changes as they happen, and ends when its reader stops", async () => {
  const { client } = await appWith("alice", "bob", "carol");
  await client.friends.addFriend({ owner: "alice", friend: "bob" });
  const list = new FriendList();
  let added = false;
  for await (const message of client.friends.watchFriends({ owner: "alice", sinceVersion: 0 })) {
    list.apply(message);
    if (message.upToDate && !added) {
      assert.deepEqual([...list.friends.keys()], ["bob"]);
      added = true;
      await client.friends.addFriend({ owner: "alice", friend: "carol" });
    }
    if (list.friends.has("carol")) {
      break;
    }
  }
  const { listSummary } = await client.users.getUser({ username: "alice" });
  assert.equal(list.version, listSummary.version);
});

test("a watch from a version that the list has not reached begins anew", async () => {
  const { client } = await appWith("alice", "bob");
  await client.blocks.blockUsers({ owner: "alice", usernames: ["bob"] });
  for await (const message of client.blocks.watchBlocks({ owner: "alice", sinceVersion: 1000n })) {
    assert.equal(message.fullResync, true);
    assert.deepEqual(message.changes.map((change) => change.blocked), ["bob"]);
    break;
  }
});

test("a quiet watch ends by its signal", async () => {
  const { client } = await appWith("alice");
  const controller = new AbortController();
  const watching = all(client.friends.watchFriends({ owner: "alice" }, { signal: controller.signal }));
  const why = new Error("the page is left");
  await client.friends.listFriends({ owner: "alice" });
  controller.abort(why);
  await assert.rejects(watching, why);
});

test("a watch of nobody ends with the reason", async () => {
  const { client } = await appWith("alice");
  await assert.rejects(all(client.friends.watchFriends({ owner: "nobody" })), { reason: "USER_NOT_FOUND" });
});

test("errors have a reason, what they are about, and the id of the request", async () => {
  const { client } = await appWith("alice");
  const error = await failure(client.friends.addFriend({ owner: "alice", friend: "nobody" }));
  assert.ok(error instanceof BefriendError);
  assert.equal(error.code, "not_found");
  assert.equal(error.reason, "USER_NOT_FOUND");
  assert.deepEqual(error.metadata, { username: "nobody" });
  assert.match(error.message, /^USER_NOT_FOUND: there is no user nobody/);
  assert.deepEqual(error.details.map((detail) => detail.type), ["google.rpc.ErrorInfo", "google.rpc.ResourceInfo"]);
  assert.match(error.requestId, /^.{8,}$/);
  const limit = await failure(client.friends.listFriends({ owner: "alice", pageSize: 51 }));
  assert.equal(limit.reason, "PAGE_SIZE_OUT_OF_RANGE");
  assert.deepEqual(limit.metadata, { field: "page_size", max: "50" });
});

test("a field that the request does not have is refused by name", async () => {
  const { client } = await appWith("alice", "bob");
  const error = await failure(client.friends.addFriend({ owner: "alice", frend: "bob" }));
  assert.equal(error.code, "invalid_argument");
  assert.match(error.message, /frend/);
});

test("a rate that is exceeded is waited for", async () => {
  const { client, appKey } = await appWith("alice", "bob");
  await server.operator.apps.updateApp({ appKey, limits: { requestsPerSecond: 2 } });
  // One more than the rate: at least one is refused at first.
  const calls = Array.from({ length: 3 }, () => client.friends.addFriend({ owner: "alice", friend: "bob" }));
  const answers = await Promise.all(calls);
  assert.deepEqual(answers.map(({ friend }) => friend.username), ["bob", "bob", "bob"]);
});

test("a token that was revoked is replaced", async () => {
  const { client } = await appWith("alice");
  await client.tokens.revokeToken({});
  assert.deepEqual((await client.friends.listAllFriends({ owner: "alice" })).usernames, []);
});

test("credentials that are wrong are told", async () => {
  const client = new Client(server.url, { clientId: server.app.clientId, clientSecret: "wrong" });
  const error = await failure(client.friends.listFriends({ owner: "alice" }));
  assert.equal(error.reason, "INVALID_CREDENTIALS");
  const nobody = await failure(new Client(server.url).friends.listFriends({ owner: "alice" }));
  assert.equal(nobody.reason, "UNAUTHENTICATED");
});

test("a watch goes on from its last version when its connection breaks", async () => {
  const { client, url, clientId, clientSecret } = await appWith("alice", "bob", "carol");
  let cut = 0;
  const cutting = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).includes("Watch") || cut++ > 0) {
      return response;
    }
    // The connection breaks after the first piece.
    const reader = response.body.getReader();
    const first = await reader.read();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(first.value);
      },
      pull: () => reader.cancel().then(() => Promise.reject(new TypeError("terminated"))),
    });
    return new Response(body, { status: 200, headers: response.headers });
  };
  const other = new Client(url, { clientId, clientSecret, fetch: cutting });
  await client.friends.addFriend({ owner: "alice", friend: "bob" });
  const seen = [];
  for await (const message of other.friends.watchFriends({ owner: "alice" })) {
    seen.push(...message.changes.map((change) => change.upserted.username));
    if (seen.length === 1 && cut === 1) {
      await client.friends.addFriend({ owner: "alice", friend: "carol" });
    }
    if (seen.includes("carol")) {
      break;
    }
  }
  // Nothing came twice: the second stream began where the first ended.
  assert.deepEqual(seen, ["bob", "carol"]);
  assert.equal(cut, 2);
});

async function appWith(...names) {
  const app = await server.newApp();
  const { client, url, appKey, clientId, clientSecret } = app;
  return { client, url, appKey, clientId, clientSecret, users: await app.users(...names) };
}

async function failure(call) {
  try {
    await call;
  } catch (error) {
    return error;
  }
  assert.fail("the call did not fail");
}
