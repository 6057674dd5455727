// A story of two friends: befriend, remark, list, watch, block, and the question before every message.
//
//   node clients/typescript/examples/dist/story.js URL CLIENT_ID CLIENT_SECRET
//
// `befriend serve --ephemeral` prints all three.

import { argv } from "node:process";

import { BefriendError, Client, FriendList } from "befriend";

const [url = "", clientId = "", clientSecret = ""] = argv.slice(2);
const client = new Client(url, { clientId, clientSecret });

await client.users.batchCreateUsers({ users: ["alice", "bob", "carol"].map((username) => ({ username })) });
await client.friends.addFriend({ owner: "alice", friend: "bob" });
await client.friends.setRemark({ owner: "alice", friend: "bob", remark: "from the gym" });
for await (const friend of client.friends.iterateFriends({ owner: "alice", includeRemark: true })) {
  console.log(`alice has the friend ${friend.username}, ${friend.remark}`);
}

const copy = new FriendList();
for await (const message of client.friends.watchFriends({ owner: "alice" })) {
  copy.apply(message);
  console.log(`alice's copy has ${[...copy.friends.keys()]} at version ${copy.version}`);
  // A program that shows the list goes on; the watch ends with the loop.
  if (message.upToDate) {
    break;
  }
}

await client.blocks.blockUsers({ owner: "bob", usernames: ["alice"] });
const { relations } = await client.relations.checkRelations({ username: "alice", others: ["bob", "carol"] });
for (const { username, isFriend, blockedBy } of relations) {
  console.log(`alice and ${username}: friends ${isFriend}, blocked ${blockedBy}`);
}

try {
  await client.friends.setRemark({ owner: "alice", friend: "carol", remark: "who?" });
} catch (error) {
  if (!(error instanceof BefriendError && error.reason === "NOT_FRIENDS")) {
    throw error;
  }
  console.log(`refused: ${error.reason}`);
}
