// A befriend for tests: the real service, from the program `befriend`, gone with the tests. For Node.js, Deno and Bun.

import { spawn, type Child } from "node:child_process";
import { env } from "node:process";

import { Client } from "./client.js";

/** How befriend is started. */
export interface StartOptions {
  /** The program; else the one that BEFRIEND_BINARY names, or `befriend` on the PATH. */
  readonly binary?: string;
  /** Makes the database on this server, instead of on a private Postgres from the programs of this machine. */
  readonly databaseUrl?: string;
  /** Further flags of `befriend serve`. */
  readonly args?: readonly string[];
}

/** How long a start may take, in milliseconds: a little longer than befriend itself allows. */
const START_TIMEOUT = 100_000;

/** How long the end may take, in milliseconds. */
const STOP_TIMEOUT = 20_000;

/** The limit of names in one call that makes users. */
const BATCH = 60;

/** How much of befriend's log an error shows, in characters. */
const TAIL = 4000;

/** An app of a server, with a client of its own. */
export class App {
  readonly client: Client;

  constructor(
    /** Where befriend takes calls. */
    readonly url: string,
    readonly appKey: string,
    readonly clientId: string,
    readonly clientSecret: string,
  ) {
    this.client = new Client(url, { clientId, clientSecret });
  }

  /** Makes users, and returns their names. */
  async users(...usernames: string[]): Promise<string[]> {
    for (let begin = 0; begin < usernames.length; begin += BATCH) {
      const users = usernames.slice(begin, begin + BATCH).map((username) => ({ username }));
      await this.client.users.batchCreateUsers({ users });
    }
    return usernames;
  }
}

/** What befriend says of itself when it takes calls. */
interface Said {
  version: string;
  url: string;
  operator_token: string;
  app: { app_key: string; client_id: string; client_secret: string };
}

/** A running befriend. It ends with `close`, and with this process. */
export class Server {
  readonly #stop: () => Promise<void>;
  /** Where befriend takes calls, as "http://127.0.0.1:40519". */
  readonly url: string;
  readonly version: string;
  readonly operatorToken: string;
  /** A client of the operator. */
  readonly operator: Client;
  /** The app that was made with the server. */
  readonly app: App;

  /** By `startBefriend`. */
  constructor(stop: () => Promise<void>, said: Said) {
    this.#stop = stop;
    this.url = said.url;
    this.version = said.version;
    this.operatorToken = said.operator_token;
    this.operator = new Client(said.url, { token: said.operator_token });
    this.app = new App(said.url, said.app.app_key, said.app.client_id, said.app.client_secret);
  }

  /** A new app without users, of which no other test knows. */
  async newApp(): Promise<App> {
    const appKey = `test#${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;
    const made = await this.operator.apps.createApp({ appKey, limits: { requestsPerSecond: 1_000_000 } });
    return new App(this.url, appKey, made.app?.clientId ?? "", made.clientSecret);
  }

  /** Ends befriend, and waits until nothing is left of it. */
  async close(): Promise<void> {
    await this.#stop();
  }
}

/**
 * Starts a befriend and waits until it takes calls: less than a second, some seconds at the first start. Variables of
 * this process that are settings of befriend have no effect, nor has DATABASE_URL.
 */
export async function startBefriend(options: StartOptions = {}): Promise<Server> {
  const program = options.binary ?? env["BEFRIEND_BINARY"] ?? "befriend";
  const passed = Object.entries(env).filter(([name]) => !/^(BEFRIEND_|DATABASE_URL)/.test(name));
  const variables: Record<string, string | undefined> = Object.fromEntries(passed);
  if (options.databaseUrl !== undefined) {
    variables["DATABASE_URL"] = options.databaseUrl;
  }
  // befriend ends when the pipe of its standard input does, as it does with this process.
  const child = spawn(program, ["serve", "--ephemeral", ...(options.args ?? [])], { env: variables, stdio: "pipe" });
  const closed = new Promise<void>((resolve) => child.on("close", resolve));
  try {
    const said = JSON.parse(await firstLine(child, closed, program)) as Said;
    // A process that has nothing else to do may end without `close`.
    for (const part of [child, child.stdin, child.stdout, child.stderr]) {
      part.unref?.();
    }
    return new Server(() => stop(child, closed), said);
  } catch (error) {
    await stop(child, closed);
    throw error;
  }
}

async function firstLine(child: Child, closed: Promise<void>, program: string): Promise<string> {
  let log = "";
  let line = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  child.stderr.on("data", (bytes) => (log = (log + new TextDecoder().decode(bytes)).slice(-TAIL)));
  try {
    return await new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`${program} serve --ephemeral did not start (${why}); it said:\n${log.trim()}`));
      timer = setTimeout(() => fail(`nothing came for ${START_TIMEOUT / 1000} s`), START_TIMEOUT);
      child.stdout.on("data", (bytes) => {
        line += new TextDecoder().decode(bytes);
        const end = line.indexOf("\n");
        if (end >= 0) {
          resolve(line.slice(0, end));
        }
      });
      child.on("error", (error) => {
        fail(`${error.message}; install befriend on the PATH, or name the program in BEFRIEND_BINARY`);
      });
      void closed.then(() => fail("it ended"));
    });
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: Child, closed: Promise<void>): Promise<void> {
  child.ref();
  child.stdin.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
  await closed;
  clearTimeout(timer);
}
