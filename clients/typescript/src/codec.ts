// How the fields of messages are read from JSON and written to it. Values are those of JavaScript: a 64-bit integer
// is a bigint, a time a Date, a duration a number of milliseconds.

import { BefriendError } from "./error.js";

/** A message that a caller gives or gets. */
export type Message = Record<string, unknown>;

/** How a field is written in JSON. */
export interface Codec {
  /** What the field is when the service leaves it out; `undefined` if it is absent then. */
  missing(): unknown;
  /** The field's value. */
  read(json: unknown): unknown;
  /** The value's JSON. */
  write(value: unknown): unknown;
}

/** The fields of a message by their names in JSON. */
export type Shape = Readonly<Record<string, Codec>>;

const same = (value: unknown): unknown => value;

export const text: Codec = { missing: () => "", read: same, write: same };
export const flag: Codec = { missing: () => false, read: same, write: same };
export const int32: Codec = { missing: () => 0, read: same, write: same };

export const int64: Codec = {
  missing: () => 0n,
  read: (json) => BigInt(json as string | number),
  write: (value) => BigInt(value as bigint | number).toString(),
};

export const time: Codec = {
  missing: () => undefined,
  read: (json) => new Date(json as string),
  // A text is written as it is: it may have more digits than a Date.
  write: (value) => (value instanceof Date ? value.toISOString() : value),
};

export const duration: Codec = {
  missing: () => undefined,
  read: (json) => milliseconds(json as string),
  write: (value) => `${((value as number) / 1000).toFixed(9)}s`,
};

export const mask: Codec = {
  missing: () => undefined,
  read: (json) => (json as string).split(","),
  write: (value) => (value as readonly string[]).map(camel).join(","),
};

/** An enum, by its first value. */
export function choice(first: string): Codec {
  return { missing: () => first, read: same, write: same };
}

/** A message. The shape comes by a function because it may be defined further down. */
export function message(shape: () => Shape): Codec {
  return {
    missing: () => undefined,
    read: (json) => readMessage(shape(), json as Message),
    write: (value) => writeMessage(shape(), value as Message),
  };
}

/** A repeated field. */
export function list(of: Codec): Codec {
  return {
    missing: () => [],
    read: (json) => (json as unknown[]).map((one) => of.read(one)),
    write: (value) => (value as readonly unknown[]).map((one) => of.write(one)),
  };
}

/** A field that can be absent. */
export function optional(of: Codec): Codec {
  return { missing: () => undefined, read: of.read, write: of.write };
}

/** The message of an answer. Throws BefriendError if the answer is no such message. */
export function readAnswer(shape: Shape, json: unknown): Message {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    try {
      return readMessage(shape, json as Message);
    } catch (cause) {
      throw new BefriendError("unknown", "the answer has a field of another type than befriend's", { cause });
    }
  }
  throw new BefriendError("unknown", "the answer is no JSON object: is this the URL of befriend?");
}

/** The message of a JSON object. Fields that this client does not know are left out. */
export function readMessage(shape: Shape, json: Message): Message {
  const message: Message = {};
  for (const [name, codec] of Object.entries(shape)) {
    const value = json[name];
    const read = value === undefined || value === null ? codec.missing() : codec.read(value);
    if (read !== undefined) {
      message[name] = read;
    }
  }
  return message;
}

/** The JSON object of a message. A field that is not in the shape stays, so that the service refuses it by name. */
export function writeMessage(shape: Shape, message: Message): Message {
  const json: Message = {};
  for (const [name, value] of Object.entries(message)) {
    if (value !== undefined && value !== null) {
      const codec = Object.prototype.hasOwnProperty.call(shape, name) ? shape[name] : undefined;
      json[name] = codec === undefined ? value : codec.write(value);
    }
  }
  return json;
}

/** The milliseconds of a duration such as "1.5s". */
export function milliseconds(duration: string): number {
  return Number(duration.slice(0, -1)) * 1000;
}

function camel(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
