// Reads the two details of errors that the client acts on, from the bytes of protobuf that errors carry.

/** The google.rpc.ErrorInfo of an error. */
export interface ErrorInfo {
  reason: string;
  domain: string;
  metadata: Record<string, string>;
}

/** The fields of a message of protobuf that have a length, and its integers, in their order. */
function* fields(bytes: Uint8Array): Generator<[field: number, value: Uint8Array | number]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) {
        throw new RangeError("the message ends within a number");
      }
      value += (byte & 127) * scale;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      yield [tag >>> 3, varint()];
    } else if ((tag & 7) === 2) {
      const length = varint();
      yield [tag >>> 3, bytes.subarray(at, (at += length))];
    } else {
      throw new RangeError("neither an integer nor a field with a length");
    }
  }
}

function utf8(value: Uint8Array | number): string {
  return typeof value === "number" ? "" : new TextDecoder().decode(value);
}

/** The ErrorInfo in these bytes. */
export function errorInfo(bytes: Uint8Array): ErrorInfo {
  const info: ErrorInfo = { reason: "", domain: "", metadata: {} };
  for (const [field, value] of fields(bytes)) {
    if (field === 1) {
      info.reason = utf8(value);
    } else if (field === 2) {
      info.domain = utf8(value);
    } else if (field === 3 && typeof value !== "number") {
      const entry = new Map(fields(value));
      info.metadata[utf8(entry.get(1) ?? 0)] = utf8(entry.get(2) ?? 0);
    }
  }
  return info;
}

/** The time in the google.rpc.RetryInfo in these bytes, in milliseconds. */
export function retryDelayMs(bytes: Uint8Array): number | undefined {
  const delay = new Map(fields(bytes)).get(1);
  if (delay === undefined || typeof delay === "number") {
    return undefined;
  }
  const parts = new Map(fields(delay));
  return Number(parts.get(1) ?? 0) * 1000 + Number(parts.get(2) ?? 0) / 1e6;
}

/** The bytes of a base64 text, with or without padding. */
export function base64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
