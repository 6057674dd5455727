// The client of befriend for Node.js, Deno, Bun and browsers.

export type { CallOptions } from "./call.js";
export { Client, type ClientOptions } from "./client.js";
export { BefriendError, type Code, type ErrorDetail } from "./error.js";
export * from "./generated/messages.js";
export * from "./generated/services.js";
export { BlockList, FriendList } from "./lists.js";
