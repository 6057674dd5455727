// A call that failed, with what the service says of it.

import { base64, errorInfo, retryDelayMs } from "./details.js";
import type { ErrorReason } from "./generated/messages.js";

/** The code of an error, as the Connect protocol writes gRPC's codes. */
export type Code =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/** A detail of an error. */
export interface ErrorDetail {
  /** The name of the message, as "google.rpc.ErrorInfo". */
  readonly type: string;
  /** The message in protobuf, as base64. */
  readonly value: string;
  /** The message as JSON, for people. */
  readonly debug?: unknown;
}

/** What an error is made of. */
export interface ErrorParts {
  details?: readonly ErrorDetail[];
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  cause?: unknown;
  unsent?: boolean;
}

/** A call that failed. Programs match on `reason`, or on `code` for a reason that they do not know. */
export class BefriendError extends Error {
  override readonly name = "BefriendError";
  /** The code. */
  readonly code: Code;
  /**
   * The reason, if the service itself refused the call. Undefined if the service was not reached or the deadline
   * passed at the client.
   */
  readonly reason: ErrorReason | (string & {}) | undefined;
  /** What the error is about, by name; for USER_NOT_FOUND it has "username". */
  readonly metadata: Readonly<Record<string, string>>;
  /** How long to wait before the call may be made again, in milliseconds, if the service says so. */
  readonly retryAfterMs: number | undefined;
  /** All details. */
  readonly details: readonly ErrorDetail[];
  /** The x-request-id of the answer, by which the service's log has the call. */
  readonly requestId: string | undefined;
  /** What failed, if it was not the service that refused. */
  override readonly cause: unknown;
  /** Whether the request certainly did not reach the service. */
  readonly unsent: boolean;

  constructor(code: Code, message: string, parts: ErrorParts = {}) {
    const details = parts.details ?? [];
    const said = detail(details, "google.rpc.ErrorInfo", errorInfo);
    // A proxy may have reasons of its own.
    const info = said?.domain === DOMAIN ? said : undefined;
    super(info === undefined ? `${code}: ${message}` : `${info.reason}: ${message}`);
    this.code = code;
    this.reason = info?.reason;
    this.metadata = info?.metadata ?? {};
    this.retryAfterMs = detail(details, "google.rpc.RetryInfo", retryDelayMs) ?? parts.retryAfterMs;
    this.details = details;
    this.requestId = parts.requestId;
    this.cause = parts.cause;
    this.unsent = parts.unsent ?? false;
  }
}

/** The domain of the service's own reasons. */
const DOMAIN = "befriend.v1";

function detail<T>(details: readonly ErrorDetail[], type: string, read: (bytes: Uint8Array) => T): T | undefined {
  const found = details.find((one) => one.type === type);
  try {
    return found && read(base64(found.value));
  } catch {
    // Not in the form that the service writes: the error counts by its code.
    return undefined;
  }
}

const CODES: ReadonlySet<string> = new Set<Code>([
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
]);

/** The code of an answer that is not the service's, by the status of HTTP. */
function codeOf(status: number): Code {
  switch (status) {
    case 400:
      return "internal";
    case 401:
      return "unauthenticated";
    case 403:
      return "permission_denied";
    case 404:
      return "unimplemented";
    case 429:
    case 502:
    case 503:
    case 504:
      return "unavailable";
    default:
      return "unknown";
  }
}

/** The error in JSON as the Connect protocol has it; `instead` is the code if there is none in it. */
export function errorOf(json: unknown, instead: Code, parts: ErrorParts): BefriendError {
  const { code, message, details } = (typeof json === "object" && json !== null ? json : {}) as {
    code?: unknown;
    message?: unknown;
    details?: unknown;
  };
  const known = typeof code === "string" && CODES.has(code) ? (code as Code) : instead;
  const said = typeof message === "string" ? message : "the answer has no error of befriend";
  return new BefriendError(known, said, { ...parts, details: Array.isArray(details) ? details : [] });
}

/** The error of an answer whose status is none of success. */
export async function errorOfResponse(response: Response): Promise<BefriendError> {
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  const parts: ErrorParts = {
    requestId: response.headers.get("x-request-id") ?? undefined,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  };
  let body: string;
  try {
    body = await response.text();
  } catch (cause) {
    // What the service refused, and why, is not known: it is a connection that broke.
    return new BefriendError("unavailable", `HTTP ${response.status}, and the answer broke off`, { ...parts, cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    const said = `HTTP ${response.status}, and no JSON: ${body.slice(0, 200)}`;
    return new BefriendError(codeOf(response.status), said, parts);
  }
  return errorOf(json, codeOf(response.status), parts);
}

/** Codes of Node.js and Bun for a connection that was not made. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket",
]);

/** In Deno's message of a connection that was not made. */
const NOT_CONNECTED_IN_DENO = "client error (Connect)";

/** The error of a call for which `fetch` brought no answer. Browsers do not tell whether anything was sent. */
export function errorOfFetch(cause: unknown): BefriendError {
  const seen: unknown[] = [];
  for (let at: unknown = cause; at instanceof Error && seen.length < 5; at = (at as { cause?: unknown }).cause) {
    seen.push((at as { code?: unknown }).code);
  }
  const inner = cause instanceof Error ? (cause as { cause?: unknown }).cause : undefined;
  const why = [cause, inner].filter((one) => one instanceof Error && one.message !== "");
  const said = why.map((one) => (one as Error).message).join(": ");
  const unsent = seen.some((code) => NOT_CONNECTED.has(code)) || said.includes(NOT_CONNECTED_IN_DENO);
  return new BefriendError("unavailable", said || "the service was not reached", { cause, unsent });
}
