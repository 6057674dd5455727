// The befriend for tests, and the example that the README names.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "node:test";

import { startBefriend } from "befriend/testing";

const run = promisify(execFile);

test("a befriend ends with close, and its apps know nothing of each other", async () => {
  const server = await startBefriend();
  const [one, other] = [await server.newApp(), await server.newApp()];
  await one.users("alice");
  await assert.rejects(other.client.users.getUser({ username: "alice" }), { reason: "USER_NOT_FOUND" });
  const names = Array.from({ length: 61 }, (_, number) => `user${number}`);
  assert.deepEqual(await other.users(...names), names);
  assert.match(server.version, /^\d+\.\d+\.\d+/);
  await server.close();
  await assert.rejects(fetch(server.url));
});

test("a process that forgets to close ends all the same, and befriend with it", async () => {
  const program = `
    import { startBefriend } from "befriend/testing";
    const server = await startBefriend();
    console.log(server.url);
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: import.meta.dirname ?? "." });
  await ended(stdout.trim());
  await assert.rejects(fetch(stdout.trim()));
});

test("a befriend that does not start says why", async () => {
  await assert.rejects(startBefriend({ args: ["--listen", "nowhere"] }), /did not start \(it ended\).*nowhere/s);
  await assert.rejects(startBefriend({ binary: "/nowhere/befriend" }), /BEFRIEND_BINARY/);
});

test("the example tells its story", async () => {
  const server = await startBefriend();
  const example = fileURLToPath(new URL("../examples/dist/story.js", import.meta.url));
  const { stdout } = await run(process.execPath, [example, server.url, server.app.clientId, server.app.clientSecret]);
  await server.close();
  assert.match(stdout, /alice has the friend bob, from the gym/);
  assert.match(stdout, /alice's copy has bob at version \d+/);
  assert.match(stdout, /alice and bob: friends true, blocked true/);
  assert.match(stdout, /refused: NOT_FRIENDS/);
});

/** Waits for the end of what listens at a URL: it ends its connections, or has none any longer. */
function ended(url) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    connect(Number(port), hostname).on("error", () => {}).on("close", resolve);
  });
}
