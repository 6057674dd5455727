// The token that calls are made with.

/** A token that an app's credentials brought. */
export interface Issued {
  accessToken: string;
  /** How long it is valid, in milliseconds. */
  expiresInMs: number;
}

/** Where the token of a call comes from. */
export interface Tokens {
  /** The token of the next call; undefined for calls without one. */
  current(): Promise<string | undefined>;
  /** The service has refused this token. Returns whether another may be had. */
  refused(token: string): boolean;
}

/** The same token for all calls, or none. */
export function fixed(token: string | undefined): Tokens {
  return { current: async () => token, refused: () => false };
}

/** Tokens that the program brings; it is asked for each try. */
export function brought(token: () => string | Promise<string>): Tokens {
  return { current: async () => token(), refused: () => true };
}

/** Tokens for an app's credentials, renewed before they expire. */
export function issued(issue: () => Promise<Issued>): Tokens {
  let token: { text: string; renewAt: number } | undefined;
  // Calls that need a token at once wait for the same.
  let issuing: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    const asked = performance.now();
    const { accessToken, expiresInMs } = await issue();
    // Before its end, so that no call is under way with a token that expires.
    token = { text: accessToken, renewAt: asked + expiresInMs * 0.8 };
    return accessToken;
  };
  return {
    async current() {
      if (token !== undefined && performance.now() < token.renewAt) {
        return token.text;
      }
      issuing ??= renew().finally(() => (issuing = undefined));
      return issuing;
    },
    refused(refused) {
      // Another call may have fetched a new one meanwhile.
      if (token?.text === refused) {
        token = undefined;
      }
      return true;
    },
  };
}
