// What the client uses of Node.js, so that it builds without the types of Node.js.

declare module "node:crypto" {
  export const webcrypto: Crypto;
}

declare module "node:child_process" {
  interface Stream {
    on(event: "data", listener: (bytes: Uint8Array) => void): this;
    unref?(): void;
    destroy(): void;
    end(): void;
  }
  export interface Child {
    readonly stdin: Stream;
    readonly stdout: Stream;
    readonly stderr: Stream;
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "close", listener: () => void): this;
    kill(signal: string): boolean;
    ref(): void;
    unref(): void;
  }
  export function spawn(
    program: string,
    args: readonly string[],
    options: { env: Record<string, string | undefined>; stdio: "pipe" },
  ): Child;
}

declare module "node:process" {
  export const env: Record<string, string | undefined>;
  export const argv: readonly string[];
}
