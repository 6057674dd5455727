// Copies of lists that are kept up to date by syncing or watching.

import type {
  BlockChange,
  Friend,
  SyncBlocksResponse,
  SyncFriendsResponse,
  WatchBlocksResponse,
  WatchFriendsResponse,
} from "./generated/messages.js";

/** A copy of a user's friend list. Whoever stores it stores version and friends in one write. */
export class FriendList {
  /** The version up to which the copy goes: the sinceVersion of the next sync or watch. */
  version = 0n;
  /** The entries by username. */
  readonly friends = new Map<string, Friend>();

  /** Applies a page of `iterateSyncFriends` or a message of `watchFriends`. */
  apply(message: SyncFriendsResponse | WatchFriendsResponse): void {
    if (message.fullResync) {
      this.friends.clear();
      // The content belongs to no version until it is whole: a walk that breaks off is made anew from the beginning.
      this.version = 0n;
    }
    for (const { upserted, removed } of message.changes) {
      if (upserted !== undefined) {
        this.friends.set(upserted.username, upserted);
      } else if (removed !== undefined) {
        this.friends.delete(removed);
      }
    }
    this.version = versionAfter(message, this.version);
  }
}

/** A copy of a user's block list. Whoever stores it stores version and usernames in one write. */
export class BlockList {
  /** The version up to which the copy goes: the sinceVersion of the next sync or watch. */
  version = 0n;
  /** The users who are blocked. */
  readonly usernames = new Set<string>();

  /** Applies a page of `iterateSyncBlocks` or a message of `watchBlocks`. */
  apply(message: SyncBlocksResponse | WatchBlocksResponse): void {
    if (message.fullResync) {
      this.usernames.clear();
      this.version = 0n;
    }
    for (const { blocked, unblocked } of message.changes as readonly BlockChange[]) {
      if (blocked !== undefined) {
        this.usernames.add(blocked);
      } else if (unblocked !== undefined) {
        this.usernames.delete(unblocked);
      }
    }
    this.version = versionAfter(message, this.version);
  }
}

/** A walk over pages counts only when it has reached its end. */
function versionAfter(message: { nextVersion: bigint; hasMore?: boolean }, before: bigint): bigint {
  return message.hasMore === true ? before : message.nextVersion;
}
