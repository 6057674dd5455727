// The client in a browser: a page of another origin calls befriend and watches a list. Chromium runs it, where it is
// on the PATH or named by CHROMIUM.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startBefriend } from "befriend/testing";

const CHROMIUM = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].find(runs);

/** How long the browser may take for its start and the page, in milliseconds. */
const PATIENCE = 30_000;

const PAGE = `<!doctype html>
<meta charset="utf-8">
<script type="module">
  import { BefriendError, Client, FriendList } from "./dist/index.js";

  const told = { steps: [] };
  try {
    const { url, token } = await (await fetch("/befriend")).json();
    const client = new Client(url, { token });
    const list = new FriendList();
    for await (const message of client.friends.watchFriends({ owner: "alice" })) {
      list.apply(message);
      told.steps.push([...list.friends.keys()]);
      if (list.friends.has("bob")) {
        break;
      }
      await client.friends.addFriend({ owner: "alice", friend: "bob" });
    }
    try {
      await client.friends.addFriend({ owner: "alice", friend: "nobody" });
    } catch (error) {
      told.refused = [error instanceof BefriendError, error.code, error.reason, error.metadata.username];
      told.hasRequestId = error.requestId !== undefined;
    }
  } catch (error) {
    told.failed = String(error);
  }
  await fetch("/told", { method: "POST", body: JSON.stringify(told) });
</script>
`;

test("a page of another origin calls befriend and watches a list", { skip: CHROMIUM ? false : "there is no Chromium" }, async () => {
  const page = await serve();
  try {
    const befriend = await startBefriend({ args: ["--cors-origins", page.origin] });
    try {
      await befriend.app.users("alice", "bob");
      // The page shows a console's own token; credentials of an app belong on servers.
      const { clientId, clientSecret } = befriend.app;
      const { accessToken } = await befriend.app.client.tokens.issueToken({ clientId, clientSecret });
      page.befriend = { url: befriend.url, token: accessToken };
      assert.deepEqual(await told(page), {
        steps: [[], ["bob"]],
        refused: [true, "not_found", "USER_NOT_FOUND", "nobody"],
        hasRequestId: true,
      });
      const { usernames } = await befriend.app.client.friends.listAllFriends({ owner: "bob" });
      assert.deepEqual(usernames, ["alice"]);
    } finally {
      await befriend.close();
    }
  } finally {
    page.close();
  }
});

test("a page whose origin befriend does not know gets an error", { skip: CHROMIUM ? false : "there is no Chromium" }, async () => {
  const page = await serve();
  try {
    const befriend = await startBefriend({ args: ["--cors-origins", "https://console.example"] });
    try {
      page.befriend = { url: befriend.url, token: "bft_none" };
      const { failed, steps } = await told(page);
      assert.match(failed, /^BefriendError: unavailable: /);
      assert.deepEqual(steps, []);
    } finally {
      await befriend.close();
    }
  } finally {
    page.close();
  }
});

/** Serves the page and the client on an origin of their own. */
async function serve() {
  const served = { befriend: undefined, origin: "", told: undefined, close: () => {} };
  const server = createServer(async (request, response) => {
    if (request.method === "POST") {
      const parts = await request.toArray();
      response.end();
      served.told(JSON.parse(Buffer.concat(parts).toString()));
    } else if (request.url === "/befriend") {
      response.end(JSON.stringify(served.befriend));
    } else if (request.url.startsWith("/dist/") && !request.url.includes("..")) {
      response.setHeader("content-type", "text/javascript");
      response.end(await readFile(new URL(`..${request.url}`, import.meta.url)));
    } else {
      response.setHeader("content-type", "text/html");
      response.end(PAGE);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  served.origin = `http://127.0.0.1:${server.address().port}`;
  served.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return served;
}

/** Opens the page, and returns what it tells. */
async function told(page) {
  const profile = await mkdtemp(join(tmpdir(), "befriend-chromium-"));
  let log = "";
  const browser = spawn(
    CHROMIUM,
    // The sandbox does not start for root, as in a container.
    ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", `--user-data-dir=${profile}`, page.origin],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  browser.stderr.on("data", (part) => (log = (log + part).slice(-4000)));
  const closed = new Promise((resolve) => browser.on("close", resolve));
  let timer;
  try {
    return await new Promise((resolve, reject) => {
      page.told = resolve;
      timer = setTimeout(() => reject(new Error(`the page told nothing; Chromium said:\n${log}`)), PATIENCE);
      void closed.then(() => reject(new Error(`Chromium ended; it said:\n${log}`)));
    });
  } finally {
    clearTimeout(timer);
    browser.kill();
    await closed;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function runs(program) {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
