// What several tests use: one befriend for all tests of a file, and servers that stand in for it.

import { createServer } from "node:http";
import { after } from "node:test";

import { startBefriend } from "befriend/testing";

/** A befriend that ends with the tests of this file. */
export async function befriend(options) {
  const server = await startBefriend(options);
  after(() => server.close());
  return server;
}

/** A server that answers each request with the next of these functions, the last one again and again. Returns its URL,
 * and the requests that it got: path, headers and body. */
export async function standIn(...answers) {
  const requests = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      requests.push({ path: request.url, headers: request.headers, body });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      answer(response, body, request);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests, server };
}

/** Answers with JSON. */
export function json(status, body, headers = {}) {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

function lengthDelimited(field, bytes) {
  return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
}

/** The error of befriend with this reason, and with RetryInfo of whole milliseconds below 1000 if they are given. */
export function refusal(code, reason, retryMs) {
  const info = Buffer.concat([
    lengthDelimited(1, Buffer.from(reason)),
    lengthDelimited(2, Buffer.from("befriend.v1")),
  ]);
  const details = [{ type: "google.rpc.ErrorInfo", value: unpadded(info) }];
  if (retryMs !== undefined) {
    const nanos = [];
    for (let left = retryMs * 1e6; ; left = Math.floor(left / 128)) {
      nanos.push(left >= 128 ? (left % 128) | 128 : left);
      if (left < 128) {
        break;
      }
    }
    const delay = Buffer.from([2 << 3, ...nanos]);
    details.push({ type: "google.rpc.RetryInfo", value: unpadded(lengthDelimited(1, delay)) });
  }
  return { code, message: "a stand-in refuses", details };
}

function unpadded(bytes) {
  return bytes.toString("base64").replace(/=+$/, "");
}

/** An envelope of a stream. */
export function envelope(flags, message) {
  const body = Buffer.from(JSON.stringify(message));
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** Answers with the envelopes of a stream. */
export function stream(...envelopes) {
  return (response) => {
    response.writeHead(200, { "content-type": "application/connect+json" });
    response.end(Buffer.concat(envelopes));
  };
}

/** All that an async iterable yields. */
export async function all(iterable) {
  const found = [];
  for await (const one of iterable) {
    found.push(one);
  }
  return found;
}
