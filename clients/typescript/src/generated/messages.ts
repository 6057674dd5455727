// Written by `make clients` from the protos: change them, or tests/it/generated.

/** What kind of caller made a change. */
export type ActorKind =
  /** In a filter: any kind. Not in responses. */
  | "ACTOR_KIND_UNSPECIFIED"
  /** The bearer of the operator token of the settings. */
  | "ACTOR_KIND_ROOT"
  /** The bearer of an operator token. */
  | "ACTOR_KIND_OPERATOR"
  /** A user of the operating system, who ran a command on the database. */
  | "ACTOR_KIND_CONSOLE"
  /** An app, by its own credentials or token. */
  | "ACTOR_KIND_APP";

/** The format of a callback's body. */
export type BodyFormat =
  /** The standard format. */
  | "BODY_FORMAT_UNSPECIFIED"
  /** An object with type, timestamp and data, as Standard Webhooks has it. */
  | "BODY_FORMAT_STANDARD"
  /** Easemob's envelope, for receivers that were written for Easemob. */
  | "BODY_FORMAT_EASEMOB";

/**
 * Why a call failed: the `reason` of the google.rpc.ErrorInfo that every error has, with `domain`
 * "befriend.v1". Clients match on the reason, never on the message, and treat a reason that they do
 * not know by the code alone.
 *
 * On the wire a reason is the value's name without the prefix `ERROR_REASON_`.
 */
export type ErrorReason =
  /**
   * The token is missing, malformed, unknown, expired or revoked. Code UNAUTHENTICATED.
   *
   * Example: {"reason": "UNAUTHENTICATED", "domain": "befriend.v1", "metadata": {}}
   */
  | "UNAUTHENTICATED"
  /**
   * The token is valid, but not for this call: an app token where an operator token is needed, or
   * the other way round. Code PERMISSION_DENIED.
   *
   * Example: {"reason": "TOKEN_SCOPE", "domain": "befriend.v1", "metadata": {"required": "operator"}}
   */
  | "TOKEN_SCOPE"
  /**
   * The client_id or the client_secret is wrong. The error does not tell which. Code
   * UNAUTHENTICATED.
   *
   * Example: {"reason": "INVALID_CREDENTIALS", "domain": "befriend.v1", "metadata": {}}
   */
  | "INVALID_CREDENTIALS"
  /**
   * There is no such app. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "APP_NOT_FOUND", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat"}}
   */
  | "APP_NOT_FOUND"
  /**
   * An app of this key exists already. Code ALREADY_EXISTS, with ResourceInfo.
   *
   * Example: {"reason": "APP_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat"}}
   */
  | "APP_ALREADY_EXISTS"
  /**
   * A user whom the call names does not exist in this app. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "USER_NOT_FOUND", "domain": "befriend.v1", "metadata": {"username": "bob"}}
   */
  | "USER_NOT_FOUND"
  /**
   * A user of this name exists already. Code ALREADY_EXISTS, with ResourceInfo.
   *
   * Example: {"reason": "USER_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"username": "bob"}}
   */
  | "USER_ALREADY_EXISTS"
  /**
   * The two users are not friends. Code FAILED_PRECONDITION, with PreconditionFailure.
   *
   * Example: {"reason": "NOT_FRIENDS", "domain": "befriend.v1", "metadata": {"owner": "alice", "friend": "bob"}}
   */
  | "NOT_FRIENDS"
  /**
   * A friend list is full, that of the owner or of the friend. Nothing was added. Code
   * RESOURCE_EXHAUSTED, with a QuotaFailure that names the user and the limit. A retry does not
   * help.
   *
   * Example: {"reason": "FRIEND_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "bob", "limit": "3000"}}
   */
  | "FRIEND_LIMIT_EXCEEDED"
  /**
   * The owner's block list has no room for all users of the call. Nobody was blocked. Code
   * RESOURCE_EXHAUSTED, with QuotaFailure. A retry does not help.
   *
   * Example: {"reason": "BLOCK_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "alice", "limit": "500"}}
   */
  | "BLOCK_LIMIT_EXCEEDED"
  /**
   * The app has made too many calls of this operation within a second, or too many logins have
   * failed; then metadata is empty. Code RESOURCE_EXHAUSTED, with RetryInfo: wait that long, then
   * retry.
   *
   * Example: {"reason": "RATE_LIMITED", "domain": "befriend.v1", "metadata": {"operation": "FriendService/AddFriend", "limit_per_second": "100"}}
   */
  | "RATE_LIMITED"
  /**
   * The call names the same user twice: no user can be their own friend, or block themselves. Code
   * INVALID_ARGUMENT, with BadRequest.
   *
   * Example: {"reason": "SELF_RELATION", "domain": "befriend.v1", "metadata": {"username": "alice"}}
   */
  | "SELF_RELATION"
  /**
   * A username is not 1-64 bytes of a-z 0-9 _ . - @ in any case. Code INVALID_ARGUMENT, with
   * BadRequest.
   *
   * Example: {"reason": "INVALID_USERNAME", "domain": "befriend.v1", "metadata": {"field": "usernames[2]"}}
   */
  | "INVALID_USERNAME"
  /**
   * A remark is longer than 100 characters, or contains NUL. Code INVALID_ARGUMENT, with
   * BadRequest.
   *
   * Example: {"reason": "INVALID_REMARK", "domain": "befriend.v1", "metadata": {"field": "remark"}}
   */
  | "INVALID_REMARK"
  /**
   * An extension is longer than 256 characters, or contains NUL. Code INVALID_ARGUMENT, with
   * BadRequest.
   *
   * Example: {"reason": "INVALID_EXTENSION", "domain": "befriend.v1", "metadata": {"field": "server_extension"}}
   */
  | "INVALID_EXTENSION"
  /**
   * A page token is damaged, comes from an older version of befriend, or was issued for another
   * app, call, owner or filter. Start again from the first page. Code INVALID_ARGUMENT, with
   * BadRequest.
   *
   * Example: {"reason": "INVALID_PAGE_TOKEN", "domain": "befriend.v1", "metadata": {"field": "page_token"}}
   */
  | "INVALID_PAGE_TOKEN"
  /**
   * A page size is negative or above the maximum. Code INVALID_ARGUMENT, with BadRequest.
   *
   * Example: {"reason": "PAGE_SIZE_OUT_OF_RANGE", "domain": "befriend.v1", "metadata": {"field": "page_size", "max": "50"}}
   */
  | "PAGE_SIZE_OUT_OF_RANGE"
  /**
   * A list in the request is longer than the maximum. (An empty list is INVALID_ARGUMENT.) Code
   * INVALID_ARGUMENT, with BadRequest.
   *
   * Example: {"reason": "BATCH_TOO_LARGE", "domain": "befriend.v1", "metadata": {"field": "usernames", "max": "10"}}
   */
  | "BATCH_TOO_LARGE"
  /**
   * Another field is wrong, or the message can't be read: then the field is "message". BadRequest
   * names the field and says why. Code INVALID_ARGUMENT.
   *
   * Example: {"reason": "INVALID_ARGUMENT", "domain": "befriend.v1", "metadata": {"field": "nickname"}}
   */
  | "INVALID_ARGUMENT"
  /**
   * The database can't be reached or its connections are all busy, or the instance has too many
   * calls or watchers, or is shutting down. Retry after the time in RetryInfo. In rare cases, when
   * the connection broke during a commit, the change has happened: before a call is retried that is
   * not IDEMPOTENT, look whether it has. Code UNAVAILABLE.
   *
   * Example: {"reason": "UNAVAILABLE", "domain": "befriend.v1", "metadata": {}}
   */
  | "UNAVAILABLE"
  /**
   * The call has collided with other calls, and so have several retries inside the service. Nothing
   * was changed. Retry. Code ABORTED.
   *
   * Example: {"reason": "CONFLICT", "domain": "befriend.v1", "metadata": {}}
   */
  | "CONFLICT"
  /**
   * The client's deadline has passed, or the service's own longest time for a call. The change may
   * have happened: before a call is retried that is not IDEMPOTENT, look whether it has. Code
   * DEADLINE_EXCEEDED.
   *
   * Example: {"reason": "DEADLINE_EXCEEDED", "domain": "befriend.v1", "metadata": {}}
   */
  | "DEADLINE_EXCEEDED"
  /**
   * Something unforeseen went wrong. Only the service's log says what: look there for the
   * x-request-id of the response. Code INTERNAL.
   *
   * Example: {"reason": "INTERNAL", "domain": "befriend.v1", "metadata": {}}
   */
  | "INTERNAL"
  /**
   * The app has no callback rule of this id. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "CALLBACK_RULE_NOT_FOUND", "domain": "befriend.v1", "metadata": {"rule_id": "5d331a77-4f10-4327-b7a6-7d1f1d22f175"}}
   */
  | "CALLBACK_RULE_NOT_FOUND"
  /**
   * The app has as many callback rules as it can have. Code RESOURCE_EXHAUSTED, with QuotaFailure.
   * A retry does not help.
   *
   * Example: {"reason": "CALLBACK_RULE_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat", "limit": "4"}}
   */
  | "CALLBACK_RULE_LIMIT_EXCEEDED"
  /**
   * The app has no event of this id, or no longer. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "EVENT_NOT_FOUND", "domain": "befriend.v1", "metadata": {"event_id": "5d331a774f104327b7a67d1f1d22f175.42.0a1b2c3d4e5f60718293a4b5c6d7e8f9"}}
   */
  | "EVENT_NOT_FOUND"
  /**
   * The two users are friends already, so no friend request can be sent. Code FAILED_PRECONDITION,
   * with PreconditionFailure.
   *
   * Example: {"reason": "ALREADY_FRIENDS", "domain": "befriend.v1", "metadata": {"requester": "alice", "recipient": "bob"}}
   */
  | "ALREADY_FRIENDS"
  /**
   * One of the two users blocks the other. Code FAILED_PRECONDITION, with PreconditionFailure.
   *
   * Example: {"reason": "BLOCKED", "domain": "befriend.v1", "metadata": {"blocker": "bob", "blocked": "alice"}}
   */
  | "BLOCKED"
  /**
   * There is no pending friend request from the requester to the recipient: none was sent, or it
   * was answered in another way, was cancelled, or has expired. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "FRIEND_REQUEST_NOT_FOUND", "domain": "befriend.v1", "metadata": {"requester": "alice", "recipient": "bob"}}
   */
  | "FRIEND_REQUEST_NOT_FOUND"
  /**
   * The requester has sent, or the recipient has received, as many pending friend requests as a
   * user can have. Code RESOURCE_EXHAUSTED, with a QuotaFailure that names the user and the limit.
   *
   * Example: {"reason": "FRIEND_REQUEST_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "bob", "limit": "500"}}
   */
  | "FRIEND_REQUEST_LIMIT_EXCEEDED"
  /**
   * since_version is above the version of the list: it belongs to another list, or is from before
   * the database was restored from a backup. Start again from 0. metadata has the version of the
   * list. Code INVALID_ARGUMENT, with BadRequest.
   *
   * Example: {"reason": "VERSION_AHEAD", "domain": "befriend.v1", "metadata": {"field": "since_version", "version": "42"}}
   */
  | "VERSION_AHEAD"
  /**
   * The client did not read the stream for too long. Watch again from the last next_version that
   * was read. Code ABORTED.
   *
   * Example: {"reason": "WATCHER_TOO_SLOW", "domain": "befriend.v1", "metadata": {}}
   */
  | "WATCHER_TOO_SLOW"
  /**
   * The operator token is valid, but its role does not allow this call. metadata has the role that
   * is required and that of the token. Code PERMISSION_DENIED.
   *
   * Example: {"reason": "OPERATOR_ROLE", "domain": "befriend.v1", "metadata": {"required": "admin", "role": "read-only"}}
   */
  | "OPERATOR_ROLE"
  /**
   * There is no operator token of this name. Code NOT_FOUND, with ResourceInfo.
   *
   * Example: {"reason": "OPERATOR_TOKEN_NOT_FOUND", "domain": "befriend.v1", "metadata": {"name": "alice"}}
   */
  | "OPERATOR_TOKEN_NOT_FOUND"
  /**
   * An operator token of this name exists already. Code ALREADY_EXISTS, with ResourceInfo.
   *
   * Example: {"reason": "OPERATOR_TOKEN_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"name": "alice"}}
   */
  | "OPERATOR_TOKEN_ALREADY_EXISTS";

/** The state of an event. */
export type EventState =
  /** In a filter: any state. Not in responses. */
  | "EVENT_STATE_UNSPECIFIED"
  /** The event waits for its first or next attempt. */
  | "EVENT_STATE_PENDING"
  /** The receiver has accepted the event. */
  | "EVENT_STATE_DELIVERED"
  /** The last attempt has failed, and no further one follows. */
  | "EVENT_STATE_FAILED";

/** Whether a user received or sent a friend request. */
export type FriendRequestDirection =
  /** Not allowed. */
  | "FRIEND_REQUEST_DIRECTION_UNSPECIFIED"
  /** The user received the request. */
  | "FRIEND_REQUEST_DIRECTION_INCOMING"
  /** The user sent the request. */
  | "FRIEND_REQUEST_DIRECTION_OUTGOING";

/** The state of a friend request. */
export type FriendRequestState =
  /** Not used by the service. */
  | "FRIEND_REQUEST_STATE_UNSPECIFIED"
  /** The request waits for an answer. */
  | "FRIEND_REQUEST_STATE_PENDING"
  /**
   * The recipient accepted the request or sent a request too, or the two became friends by
   * AddFriend or ImportFriends.
   */
  | "FRIEND_REQUEST_STATE_ACCEPTED"
  /** The recipient rejected the request. */
  | "FRIEND_REQUEST_STATE_REJECTED"
  /** The requester cancelled the request, or the recipient blocked the requester. */
  | "FRIEND_REQUEST_STATE_CANCELLED"
  /** The request was not answered in time. */
  | "FRIEND_REQUEST_STATE_EXPIRED";

/** What an operator may do. Each role may do what the ones before it may. */
export type OperatorRole =
  /** Not used by the service; refused in requests. */
  | "OPERATOR_ROLE_UNSPECIFIED"
  /** Read. */
  | "OPERATOR_ROLE_READ_ONLY"
  /** Send events again, and try callback rules out. */
  | "OPERATOR_ROLE_SUPPORT"
  /** Everything. */
  | "OPERATOR_ROLE_ADMIN";

/** An app. */
export interface App {
  /** The app's identifier, which befriend generates. Easemob calls it the application. */
  uuid: string;
  /** The app key, "org#app". */
  appKey: string;
  /** The clientId that belongs to the clientSecret. */
  clientId: string;
  /** The limits, all of them present. */
  limits?: AppLimits;
  /** When the app was created. */
  createTime?: Date;
  /** When the app's limits or credentials were changed last. */
  updateTime?: Date;
  /** The AppKey of the app's NetEase clients; empty when it has none. */
  neteaseAppKey: string;
}

/** The limits of an app. */
export interface AppLimits {
  /** How many friends a user can have: 0-10000, 3000 by default. */
  friendLimit?: number | undefined;
  /** How many users a user can block: 0-10000, 500 by default. */
  blockLimit?: number | undefined;
  /** How many calls of each operation the app can make in a second: 1-1000000, 100 by default. */
  requestsPerSecond?: number | undefined;
}

/** The request of CreateApp. */
export interface CreateAppRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The limits. A limit that is absent has its default. */
  limits?: AppLimits | undefined;
}

/** The response of CreateApp. */
export interface CreateAppResponse {
  /** The created app. */
  app?: App;
  /** The clientSecret. It is never shown again: only its hash is stored. */
  clientSecret: string;
}

/** The request of GetApp. */
export interface GetAppRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
}

/** The response of GetApp. */
export interface GetAppResponse {
  /** The app. */
  app?: App;
}

/** The request of ListApps. */
export interface ListAppsRequest {
  /** The largest number of apps to return: 1-100; 0 stands for 50. */
  pageSize?: number | undefined;
  /** The nextPageToken of the previous page; empty for the first page. */
  pageToken?: string | undefined;
}

/** The response of ListApps. */
export interface ListAppsResponse {
  /** The apps, in the order of their keys. */
  apps: App[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of UpdateApp. */
export interface UpdateAppRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The limits. */
  limits?: AppLimits | undefined;
  /**
   * The fields to change: limits.friendLimit, limits.blockLimit, limits.requestsPerSecond, or
   * limits for all three. A limit that is named and absent goes back to its default. Without a
   * mask, or with an empty one, the limits that are present change.
   */
  updateMask?: readonly string[] | undefined;
}

/** The response of UpdateApp. */
export interface UpdateAppResponse {
  /** The app after the change. */
  app?: App;
}

/** The request of RotateClientSecret. */
export interface RotateClientSecretRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /**
   * Whether all tokens of the app are revoked too, for a clientSecret that others have got hold
   * of.
   */
  revokeTokens?: boolean | undefined;
}

/** The response of RotateClientSecret. */
export interface RotateClientSecretResponse {
  /** The app. */
  app?: App;
  /** The new clientSecret. It is never shown again: only its hash is stored. */
  clientSecret: string;
}

/**
 * The request of SetCredentials. A pair of fields that are both empty leaves the app's pair as it
 * is.
 */
export interface SetCredentialsRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The clientId: 1-128 visible ASCII characters, given together with clientSecret. */
  clientId?: string | undefined;
  /** The clientSecret: 16-128 visible ASCII characters. Only its hash is stored. */
  clientSecret?: string | undefined;
  /**
   * The AppKey of NetEase clients: 1-128 visible ASCII characters, given together with
   * neteaseAppSecret.
   */
  neteaseAppKey?: string | undefined;
  /** The AppSecret of NetEase clients: 16-128 visible ASCII characters. It is stored encrypted. */
  neteaseAppSecret?: string | undefined;
  /** Whether AppKey and AppSecret are removed; not together with new ones. */
  removeNeteaseCredentials?: boolean | undefined;
}

/** The response of SetCredentials. */
export interface SetCredentialsResponse {
  /** The app after the change. */
  app?: App;
}

/** The request of DeleteApp. */
export interface DeleteAppRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
}

/** The response of DeleteApp. */
export type DeleteAppResponse = Record<string, never>;

/** The record of a change. */
export interface AuditEvent {
  /** The identifier of the record. The change's line in the log has it too. */
  auditEventId: string;
  /** When the change was made. */
  createTime?: Date;
  /** What kind of caller made it. */
  actorKind: ActorKind;
  /**
   * The name of the operator token, the user of the operating system, or the clientId of the app;
   * empty for the root.
   */
  actorName: string;
  /**
   * The address at the other end of the connection, or the name of the host on which the command
   * ran.
   */
  origin: string;
  /**
   * The operation, such as "AppService/UpdateApp"; "Console/BeginImport" and "Console/EndImport" for
   * an import.
   */
  action: string;
  /** The uuid of the app in which something was changed; empty if none was. */
  appUuid: string;
  /** The key of that app, "org#app". */
  appKey: string;
  /**
   * What was changed: the ruleId of a callback rule, an eventId, a username, the name of an
   * operator token, or the first 12 hexadecimal digits of the SHA-256 of an app token; empty for the
   * app itself.
   */
  target: string;
  /** What was different before, as a JSON object, without secrets; {} for something new. */
  before: string;
  /** What is different now, as a JSON object, without secrets; {} for something that is gone. */
  after: string;
}

/** The request of ListAuditEvents. A record has to match all filters that are present. */
export interface ListAuditEventsRequest {
  /** Returns only changes that were made at this time or later. */
  startTime?: Date | string | undefined;
  /** Returns only changes that were made before this time. */
  endTime?: Date | string | undefined;
  /** The kind of caller; unspecified for all kinds. */
  actorKind?: ActorKind | undefined;
  /** The name of the caller; empty for all names. */
  actorName?: string | undefined;
  /** The operation, such as "AppService/UpdateApp"; empty for all operations. */
  action?: string | undefined;
  /** The app key, "org#app", also of an app that was deleted; empty for all apps. */
  appKey?: string | undefined;
  /** The largest number of records to return: 1-100; 0 stands for 50. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same filters only.
   */
  pageToken?: string | undefined;
}

/** The response of ListAuditEvents. */
export interface ListAuditEventsResponse {
  /** The records, the newest first. */
  auditEvents: AuditEvent[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of BlockUsers. */
export interface BlockUsersRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
  /** The usernames of the users to block, 1-500. A name that is given twice counts once. */
  usernames?: readonly string[] | undefined;
}

/** The response of BlockUsers. */
export interface BlockUsersResponse {
  /**
   * The usernames of the request, each once and in the order of the request. All of them are
   * blocked.
   */
  usernames: string[];
}

/** The request of UnblockUser. */
export interface UnblockUserRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
  /** The username of the user to unblock. */
  username?: string | undefined;
}

/** The response of UnblockUser. */
export interface UnblockUserResponse {
  /** The profile of the unblocked user. */
  user?: User;
}

/** The request of ListBlockedUsers. */
export interface ListBlockedUsersRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
  /** The largest number of usernames to return: 1-50; 0 stands for 50. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same owner only.
   */
  pageToken?: string | undefined;
}

/** The response of ListBlockedUsers. */
export interface ListBlockedUsersResponse {
  /** The usernames of blocked users, the newest first. */
  usernames: string[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of ListAllBlockedUsers. */
export interface ListAllBlockedUsersRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
}

/** The response of ListAllBlockedUsers. */
export interface ListAllBlockedUsersResponse {
  /** The usernames of the newest 500 blocked users, the newest first. */
  usernames: string[];
  /**
   * How many users the owner blocks in all. It is larger than the list only if the app's block
   * limit is above 500.
   */
  totalSize: number;
}

/** A change of a block list. */
export interface BlockChange {
  /** The username of a user who is blocked. */
  blocked?: string;
  /** The username of a user who is not blocked any more. The client may never have seen the block. */
  unblocked?: string;
  /** The owner's version of the change. */
  version: bigint;
}

/** The request of SyncBlocks. */
export interface SyncBlocksRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
  /** The nextVersion up to which the client has the list; 0 for a client that has nothing. */
  sinceVersion?: bigint | number | undefined;
  /** The largest number of changes to return: 1-500; 0 stands for 100. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same owner and sinceVersion only.
   */
  pageToken?: string | undefined;
}

/** The response of SyncBlocks. */
export interface SyncBlocksResponse {
  /** Changes in version order. Of several changes of an entry only the last one is returned. */
  changes: BlockChange[];
  /**
   * The version up to which the changes go. On the last page, the sinceVersion of the next sync;
   * on other pages, use nextPageToken to go on.
   */
  nextVersion: bigint;
  /** Whether more changes follow: call again with nextPageToken. */
  hasMore: boolean;
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
  /**
   * True when removals since sinceVersion are not known any more: the client drops its copy, and
   * takes this page and the following ones as the whole list. Any page may say so.
   */
  fullResync: boolean;
}

/** The request of WatchBlocks. */
export interface WatchBlocksRequest {
  /** The username of the owner of the block list. */
  owner?: string | undefined;
  /** The nextVersion up to which the client has the list; 0 for a client that has nothing. */
  sinceVersion?: bigint | number | undefined;
}

/** A message of the stream of WatchBlocks. */
export interface WatchBlocksResponse {
  /** Changes in version order, at most 100. */
  changes: BlockChange[];
  /** The version up to which the changes go, and the sinceVersion to watch again from. */
  nextVersion: bigint;
  /**
   * True when removals since sinceVersion are not known any more: the client drops its copy, and
   * takes this message and the following ones as the whole list.
   */
  fullResync: boolean;
  /**
   * Whether the client is up to date after this message. Otherwise the next message follows at
   * once.
   */
  upToDate: boolean;
}

/** A callback rule. */
export interface CallbackRule {
  /** The rule's identifier, which befriend generates. */
  ruleId: string;
  /** The app key, "org#app". */
  appKey: string;
  /** The receiver's URL, http or https. */
  url: string;
  /** The types of events that are sent, such as "friend.added". */
  eventTypes: string[];
  /** The format of the body. */
  bodyFormat: BodyFormat;
  /** Whether events are sent. */
  enabled: boolean;
  /** Why befriend itself disabled the rule: "gone" after the receiver answered 410. Otherwise empty. */
  disabledReason: string;
  /** The certificate authorities (PEM) that are trusted for the receiver; empty for the system's. */
  caCertificates: string;
  /** When the rule was created. */
  createTime?: Date;
  /** When the rule was changed last. */
  updateTime?: Date;
}

/** The request of CreateCallbackRule. */
export interface CreateCallbackRuleRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /**
   * The receiver's URL: http or https, at most 2048 bytes, without user, password and fragment. An
   * international host name is kept as punycode, and other characters are percent-encoded.
   */
  url?: string | undefined;
  /** The types of events to send; empty for all types that there are now. */
  eventTypes?: readonly string[] | undefined;
  /** The format of the body. */
  bodyFormat?: BodyFormat | undefined;
  /**
   * The certificate authorities (PEM, at most 64 KiB) to trust for the receiver, instead of the
   * system's; empty for the system's.
   */
  caCertificates?: string | undefined;
  /** The signing secret: "whsec_" and 24-64 bytes in base64. Empty for a generated one. */
  signingSecret?: string | undefined;
}

/** The response of CreateCallbackRule. */
export interface CreateCallbackRuleResponse {
  /** The created rule. */
  rule?: CallbackRule;
  /** The signing secret. It is never shown again. */
  signingSecret: string;
}

/** The request of GetCallbackRule. */
export interface GetCallbackRuleRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The ruleId. */
  ruleId?: string | undefined;
}

/** The response of GetCallbackRule. */
export interface GetCallbackRuleResponse {
  /** The rule. */
  rule?: CallbackRule;
}

/** The request of ListCallbackRules. */
export interface ListCallbackRulesRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
}

/** The response of ListCallbackRules. */
export interface ListCallbackRulesResponse {
  /** The rules, the oldest first. */
  rules: CallbackRule[];
}

/** The request of UpdateCallbackRule. */
export interface UpdateCallbackRuleRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The ruleId. */
  ruleId?: string | undefined;
  /** The receiver's URL, as in CreateCallbackRule. */
  url?: string | undefined;
  /**
   * The types of events to send. To send all types, name eventTypes in updateMask and leave it
   * empty.
   */
  eventTypes?: readonly string[] | undefined;
  /** The format of the body. */
  bodyFormat?: BodyFormat | undefined;
  /** Whether events are sent. It also clears disabledReason. */
  enabled?: boolean | undefined;
  /** The certificate authorities (PEM), as in CreateCallbackRule. */
  caCertificates?: string | undefined;
  /**
   * The fields to change: url, eventTypes, bodyFormat, enabled, caCertificates. A field that is
   * named and absent is cleared. Without a mask, or with an empty one, the fields that are present
   * change.
   */
  updateMask?: readonly string[] | undefined;
}

/** The response of UpdateCallbackRule. */
export interface UpdateCallbackRuleResponse {
  /** The rule after the change. */
  rule?: CallbackRule;
}

/** The request of DeleteCallbackRule. */
export interface DeleteCallbackRuleRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The ruleId. */
  ruleId?: string | undefined;
}

/** The response of DeleteCallbackRule. */
export type DeleteCallbackRuleResponse = Record<string, never>;

/** The request of RotateSigningSecret. */
export interface RotateSigningSecretRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The ruleId. */
  ruleId?: string | undefined;
  /**
   * How long the old secret signs as well: 0 to 30 days. Absent stands for 1 day.
   * In milliseconds.
   */
  gracePeriod?: number | undefined;
  /** The new signing secret, as in CreateCallbackRule. Empty for a generated one. */
  signingSecret?: string | undefined;
}

/** The response of RotateSigningSecret. */
export interface RotateSigningSecretResponse {
  /** The rule. */
  rule?: CallbackRule;
  /** The new signing secret. It is never shown again. */
  signingSecret: string;
}

/** The request of TestCallbackRule. */
export interface TestCallbackRuleRequest {
  /** The app key, "org#app". */
  appKey?: string | undefined;
  /** The ruleId. */
  ruleId?: string | undefined;
}

/** The response of TestCallbackRule. */
export interface TestCallbackRuleResponse {
  /** What the receiver answered. */
  attempt?: DeliveryAttempt;
}

/** An event for one callback rule. */
export interface Event {
  /** The identifier of this event for this rule. */
  eventId: string;
  /** The webhook-id header that the receiver gets: the same in all attempts and for all rules. */
  webhookId: string;
  /** The callback rule's ruleId. */
  ruleId: string;
  /**
   * What happened, such as "friend.added". Empty for a type that only a newer version of befriend
   * knows.
   */
  eventType: string;
  /** The username of the user whose list changed. */
  owner: string;
  /** The username of the other user, which is "friend" in a callback's body. */
  other: string;
  /** The owner's version of the change. It orders the owner's events. */
  version: bigint;
  /** The state. */
  state: EventState;
  /** How many attempts there were, those before a retry included. */
  attemptCount: number;
  /** When the event happened. */
  createTime?: Date;
  /** When the next attempt is due; only while the event is pending. */
  nextAttemptTime?: Date;
  /** When the event was delivered or has failed; absent while it is pending. */
  finishTime?: Date;
}

/** An attempt to deliver an event. */
export interface DeliveryAttempt {
  /** When the attempt started. */
  startTime?: Date;
  /** The HTTP status of the receiver's response; 0 when there was no response. */
  httpStatus: number;
  /**
   * How long the attempt took.
   * In milliseconds.
   */
  duration?: number;
  /** The first 1024 bytes of the response's body. Bytes that are not UTF-8 are replaced by U+FFFD. */
  responseBody: string;
  /** Why there was no response, or why the response is a failure; empty for a success. */
  error: string;
}

/** The request of ListEvents. An event has to match all filters that are present. */
export interface ListEventsRequest {
  /** The ruleId of the events; empty for all rules. */
  ruleId?: string | undefined;
  /** The username of the user whose list changed; empty for all users. */
  owner?: string | undefined;
  /** The type of the events, such as "friend.added"; empty for all types. */
  eventType?: string | undefined;
  /** The state of the events; unspecified for all states. */
  state?: EventState | undefined;
  /** Returns only events that happened at this time or later. */
  startTime?: Date | string | undefined;
  /** Returns only events that happened before this time. */
  endTime?: Date | string | undefined;
  /** The largest number of events to return: 1-100; 0 stands for 10. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same filters only.
   */
  pageToken?: string | undefined;
  /** The app key, "org#app": for operators. An app leaves it empty, or names itself. */
  appKey?: string | undefined;
}

/** The response of ListEvents. */
export interface ListEventsResponse {
  /** The events, the newest first. */
  events: Event[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of GetEvent. */
export interface GetEventRequest {
  /** The eventId. */
  eventId?: string | undefined;
  /** The app key, "org#app": for operators. An app leaves it empty, or names itself. */
  appKey?: string | undefined;
}

/** The response of GetEvent. */
export interface GetEventResponse {
  /** The event. */
  event?: Event;
  /** The attempts to deliver it, in order: the last 100, retries included. */
  attempts: DeliveryAttempt[];
}

/** The request of RetryEvent. */
export interface RetryEventRequest {
  /** The eventId. */
  eventId?: string | undefined;
  /** The app key, "org#app": for operators. An app leaves it empty, or names itself. */
  appKey?: string | undefined;
}

/** The response of RetryEvent. */
export interface RetryEventResponse {
  /** The event, pending. */
  event?: Event;
}

/** The request of RetryFailedEvents. */
export interface RetryFailedEventsRequest {
  /** The ruleId of the callback rule. */
  ruleId?: string | undefined;
  /** Retries only events that happened at this time or later; absent for no bound. */
  startTime?: Date | string | undefined;
  /** Retries only events that happened before this time; absent for no bound. */
  endTime?: Date | string | undefined;
  /** The app key, "org#app": for operators. An app leaves it empty, or names itself. */
  appKey?: string | undefined;
}

/** The response of RetryFailedEvents. */
export interface RetryFailedEventsResponse {
  /** How many events are sent again. At 10000 more may be left: call again. */
  retriedCount: number;
}

/** An entry of a friend list. */
export interface Friend {
  /** The friend's username. */
  username: string;
  /**
   * The owner's remark on the friend, empty when none is set: at most 100 characters, or 128 for a
   * remark that was set through NetEase's API.
   */
  remark: string;
  /** A field for the owner's client, at most 256 characters. */
  extension: string;
  /** A field for the calling service, at most 256 characters. */
  serverExtension: string;
  /**
   * True when the owner is in the friend's list too. False only while a deleted user is being
   * removed from lists.
   */
  bidirectional: boolean;
  /** When the friendship began. */
  createTime?: Date;
  /** When the entry was changed last. */
  updateTime?: Date;
  /** The owner's version as of the last change of the entry. */
  version: bigint;
}

/** The request of AddFriend. */
export interface AddFriendRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The username of the new friend. */
  friend?: string | undefined;
  /** The serverExtension of the owner's entry, at most 256 characters. */
  serverExtension?: string | undefined;
}

/** The response of AddFriend. */
export interface AddFriendResponse {
  /** The owner's entry of the friend, new or old. */
  friend?: Friend;
  /** The friend's profile. */
  user?: User;
}

/** The request of RemoveFriend. */
export interface RemoveFriendRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The username of the friend to remove. */
  friend?: string | undefined;
  /**
   * Whether the owner's remark on the friend is cleared. Otherwise it is kept, and is there again
   * when the two become friends again.
   */
  clearRemark?: boolean | undefined;
}

/** The response of RemoveFriend. */
export interface RemoveFriendResponse {
  /** The profile of the former friend. */
  user?: User;
}

/** The request of RemoveAllFriends. */
export interface RemoveAllFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
}

/** The response of RemoveAllFriends. */
export interface RemoveAllFriendsResponse {
  /** How many friendships ended. */
  removedCount: number;
}

/** The request of SetRemark. */
export interface SetRemarkRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The friend's username. */
  friend?: string | undefined;
  /** The remark, at most 100 characters. An empty one clears the remark. */
  remark?: string | undefined;
}

/** The response of SetRemark. */
export interface SetRemarkResponse {
  /** The entry after the change. */
  friend?: Friend;
}

/** The request of GetFriend. */
export interface GetFriendRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The friend's username. */
  friend?: string | undefined;
}

/** The response of GetFriend. */
export interface GetFriendResponse {
  /** The entry. */
  friend?: Friend;
}

/** The request of ListFriends. */
export interface ListFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The largest number of entries to return: 1-50; 0 stands for 10. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same owner only.
   */
  pageToken?: string | undefined;
  /** Whether the entries have remarks. */
  includeRemark?: boolean | undefined;
}

/** The response of ListFriends. */
export interface ListFriendsResponse {
  /** The entries, in username order. */
  entries: ListFriendsResponseEntry[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The short form of an entry of a friend list. */
export interface ListFriendsResponseEntry {
  /** The friend's username. */
  username: string;
  /** The owner's remark, which may be empty; absent unless includeRemark is set. */
  remark?: string;
}

/** The request of ListAllFriends. */
export interface ListAllFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
}

/** The response of ListAllFriends. */
export interface ListAllFriendsResponse {
  /** The usernames of all friends, in order. */
  usernames: string[];
  /** The number of friends. */
  totalSize: number;
}

/** The request of ImportFriends. */
export interface ImportFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The usernames of the new friends, 1-10. A name that is given twice counts once. */
  usernames?: readonly string[] | undefined;
  /** Whether the same events are recorded as by AddFriend. Otherwise none are. */
  notify?: boolean | undefined;
}

/**
 * The response of ImportFriends. Each name is in one of the four lists, and each list is in the
 * order of the request. Usernames are in lower case; names that can't be usernames are as they were
 * given.
 */
export interface ImportFriendsResponse {
  /** Users who are friends now, or were before. */
  succeeded: string[];
  /** Names of no user. */
  notFound: string[];
  /** Users who could not be added because the owner's list or their own list is full. */
  limitExceeded: string[];
  /** Names that can't be usernames, and the owner's own. */
  failed: string[];
}

/** The request of UpdateFriend. */
export interface UpdateFriendRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The friend's username. */
  friend?: string | undefined;
  /** The remark, at most 100 characters. */
  remark?: string | undefined;
  /** A field for the owner's client, at most 256 characters. */
  extension?: string | undefined;
  /** A field for the calling service, at most 256 characters. */
  serverExtension?: string | undefined;
  /**
   * The fields to change: remark, extension, serverExtension. A field that is named and absent is
   * cleared. Without a mask, or with an empty one, the fields that are present change.
   */
  updateMask?: readonly string[] | undefined;
}

/** The response of UpdateFriend. */
export interface UpdateFriendResponse {
  /** The entry after the change. */
  friend?: Friend;
}

/** A change of a friend list. */
export interface FriendChange {
  /** The entry was added or changed; this is its present state. */
  upserted?: Friend;
  /**
   * The entry was removed; this is the username of the former friend. The client may never have
   * seen the entry.
   */
  removed?: string;
  /** The owner's version of the change. */
  version: bigint;
}

/** The request of SyncFriends. */
export interface SyncFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The nextVersion up to which the client has the list; 0 for a client that has nothing. */
  sinceVersion?: bigint | number | undefined;
  /**
   * Leaves out entries that were not changed after this time. The result is then no complete copy
   * of the list, except after a fullResync, which leaves nothing out. Absent for all entries.
   */
  updatedAfter?: Date | string | undefined;
  /** The largest number of changes to return: 1-500; 0 stands for 100. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same owner, sinceVersion and updatedAfter only.
   */
  pageToken?: string | undefined;
}

/** The response of SyncFriends. */
export interface SyncFriendsResponse {
  /** Changes in version order. Of several changes of an entry only the last one is returned. */
  changes: FriendChange[];
  /**
   * The version up to which the changes go. On the last page, the sinceVersion of the next sync;
   * on other pages, use nextPageToken to go on.
   */
  nextVersion: bigint;
  /** Whether more changes follow: call again with nextPageToken. */
  hasMore: boolean;
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
  /**
   * True when removals since sinceVersion are not known any more: the client drops its copy, and
   * takes this page and the following ones as the whole list. Any page may say so.
   */
  fullResync: boolean;
}

/** The request of WatchFriends. */
export interface WatchFriendsRequest {
  /** The username of the owner of the friend list. */
  owner?: string | undefined;
  /** The nextVersion up to which the client has the list; 0 for a client that has nothing. */
  sinceVersion?: bigint | number | undefined;
}

/** A message of the stream of WatchFriends. */
export interface WatchFriendsResponse {
  /** Changes in version order, at most 100. */
  changes: FriendChange[];
  /** The version up to which the changes go, and the sinceVersion to watch again from. */
  nextVersion: bigint;
  /**
   * True when removals since sinceVersion are not known any more: the client drops its copy, and
   * takes this message and the following ones as the whole list.
   */
  fullResync: boolean;
  /**
   * Whether the client is up to date after this message. Otherwise the next message follows at
   * once.
   */
  upToDate: boolean;
}

/** A friend request. */
export interface FriendRequest {
  /** The username of the user who sent the request. */
  requester: string;
  /** The username of the user who received the request. */
  recipient: string;
  /** The state. */
  state: FriendRequestState;
  /** The requester's message, at most 256 characters. */
  message: string;
  /** The message with which the request was accepted, rejected or cancelled, at most 256 characters. */
  answer: string;
  /** When the request was sent. */
  createTime?: Date;
  /** When the request was changed or answered last. */
  updateTime?: Date;
  /**
   * When the request expires unless it is answered. Absent for a request that is not pending, and
   * where requests do not expire.
   */
  expireTime?: Date;
}

/** The request of SendFriendRequest. */
export interface SendFriendRequestRequest {
  /** The username of the user who sends the friend request. */
  requester?: string | undefined;
  /** The username of the user who receives it. */
  recipient?: string | undefined;
  /** The requester's message, at most 256 characters. */
  message?: string | undefined;
}

/** The response of SendFriendRequest. */
export interface SendFriendRequestResponse {
  /**
   * The pending friend request. If the recipient had sent a request, this is that request:
   * accepted, with the requester's message as its answer.
   */
  friendRequest?: FriendRequest;
}

/** The request of AcceptFriendRequest. */
export interface AcceptFriendRequestRequest {
  /** The username of the user who sent the friend request. */
  requester?: string | undefined;
  /** The username of the user who accepts it. */
  recipient?: string | undefined;
  /** The message of the answer, at most 256 characters. */
  message?: string | undefined;
}

/** The response of AcceptFriendRequest. */
export interface AcceptFriendRequestResponse {
  /** The accepted friend request. */
  friendRequest?: FriendRequest;
  /** The recipient's entry of the requester. */
  friend?: Friend;
}

/** The request of RejectFriendRequest. */
export interface RejectFriendRequestRequest {
  /** The username of the user who sent the friend request. */
  requester?: string | undefined;
  /** The username of the user who rejects it. */
  recipient?: string | undefined;
  /** The message of the answer, at most 256 characters. */
  message?: string | undefined;
}

/** The response of RejectFriendRequest. */
export interface RejectFriendRequestResponse {
  /** The rejected friend request. */
  friendRequest?: FriendRequest;
}

/** The request of CancelFriendRequest. */
export interface CancelFriendRequestRequest {
  /** The username of the user who sent the friend request and cancels it. */
  requester?: string | undefined;
  /** The username of the user who received it. */
  recipient?: string | undefined;
  /** A message to the recipient, at most 256 characters. */
  message?: string | undefined;
}

/** The response of CancelFriendRequest. */
export interface CancelFriendRequestResponse {
  /** The cancelled friend request. */
  friendRequest?: FriendRequest;
}

/** The request of ListFriendRequests. */
export interface ListFriendRequestsRequest {
  /** The username of the user who received or sent the friend requests. */
  username?: string | undefined;
  /** Whether the user received them or sent them. */
  direction?: FriendRequestDirection | undefined;
  /** The states of the friend requests to return; empty for all states. */
  states?: readonly FriendRequestState[] | undefined;
  /** The largest number of friend requests to return: 1-50; 0 stands for 10. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same username, direction and states only.
   */
  pageToken?: string | undefined;
}

/** The response of ListFriendRequests. */
export interface ListFriendRequestsResponse {
  /** The friend requests, the newest first. */
  friendRequests: FriendRequest[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of ListMutualFriends. */
export interface ListMutualFriendsRequest {
  /** The username of the first user. */
  username?: string | undefined;
  /** The username of the second user. */
  other?: string | undefined;
  /** The largest number of usernames to return: 1-50; 0 stands for 10. */
  pageSize?: number | undefined;
  /**
   * The nextPageToken of the previous page; empty for the first page. A token is valid for the
   * same two users, in the same order, only.
   */
  pageToken?: string | undefined;
}

/** The response of ListMutualFriends. */
export interface ListMutualFriendsResponse {
  /** The usernames of the users in both friend lists, in order. */
  usernames: string[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** An operator token, without the secret. */
export interface OperatorToken {
  /** Whose token it is. */
  name: string;
  /** What its bearer may do. */
  role: OperatorRole;
  /** When the token was created. */
  createTime?: Date;
  /** When the token expires; absent if it does not. */
  expireTime?: Date;
}

/** The request of CreateOperatorToken. */
export interface CreateOperatorTokenRequest {
  /** Whose token it is: 1-64 characters of A-Z a-z 0-9 . _ @ -, but not "root". */
  name?: string | undefined;
  /** What its bearer may do. */
  role?: OperatorRole | undefined;
  /**
   * How long the token is valid: 1 minute to 366 days. Absent or 0 stands for a token that does not
   * expire.
   * In milliseconds.
   */
  ttl?: number | undefined;
}

/** The response of CreateOperatorToken. */
export interface CreateOperatorTokenResponse {
  /** The created token. */
  operatorToken?: OperatorToken;
  /**
   * The secret, which is the bearer token: 256 random bits. It is never shown again: only its hash
   * is stored.
   */
  accessToken: string;
}

/** The request of ListOperatorTokens. */
export interface ListOperatorTokensRequest {
  /** The largest number of tokens to return: 1-100; 0 stands for 50. */
  pageSize?: number | undefined;
  /** The nextPageToken of the previous page; empty for the first page. */
  pageToken?: string | undefined;
}

/** The response of ListOperatorTokens. */
export interface ListOperatorTokensResponse {
  /** The tokens, in the order of their names. */
  operatorTokens: OperatorToken[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of RevokeOperatorToken. */
export interface RevokeOperatorTokenRequest {
  /** Whose token to revoke. */
  name?: string | undefined;
}

/** The response of RevokeOperatorToken. */
export type RevokeOperatorTokenResponse = Record<string, never>;

/** The request of CheckRelations. */
export interface CheckRelationsRequest {
  /** The username of the user. */
  username?: string | undefined;
  /** The usernames of the others, 1-100. A name that is given twice is answered twice. */
  others?: readonly string[] | undefined;
}

/** How a user and another one stand to each other. */
export interface Relation {
  /** The username of the other user. */
  username: string;
  /** Whether the two are friends. */
  isFriend: boolean;
  /** Whether the user blocks the other one. */
  blocks: boolean;
  /**
   * Whether the other one blocks the user. Then nothing that the user writes may reach the other
   * one.
   */
  blockedBy: boolean;
}

/** The response of CheckRelations. */
export interface CheckRelationsResponse {
  /** One relation for each of the others, in the order of the request. */
  relations: Relation[];
}

/** The request of IssueToken. */
export interface IssueTokenRequest {
  /** The app's clientId. */
  clientId?: string | undefined;
  /** The app's clientSecret. */
  clientSecret?: string | undefined;
  /**
   * How long the token is valid: 1 minute to 60 days, or to the maximum that the operator has set.
   * Absent or 0 stands for the service's default, 1 day unless the operator has set another.
   * In milliseconds.
   */
  ttl?: number | undefined;
}

/** The response of IssueToken. */
export interface IssueTokenResponse {
  /** The token, which is opaque to the client: 256 random bits. */
  accessToken: string;
  /**
   * How long the token is valid, from now on.
   * In milliseconds.
   */
  expiresIn?: number;
  /** The uuid of the app. */
  appUuid: string;
}

/** The request of RevokeToken. */
export interface RevokeTokenRequest {
  /** The token to revoke; empty for the token that the call is made with. */
  accessToken?: string | undefined;
}

/** The response of RevokeToken. */
export type RevokeTokenResponse = Record<string, never>;

/** The profile of a user. */
export interface User {
  /**
   * The user's identifier, which befriend generates. A user who is created again under the same
   * name has another one.
   */
  uuid: string;
  /** The username, in lower case. */
  username: string;
  /** The nickname, at most 100 characters; empty when none is set. */
  nickname: string;
  /** False for a banned user. */
  activated: boolean;
  /** When the user was created. */
  createTime?: Date;
  /** When nickname or activated was changed last. */
  updateTime?: Date;
}

/**
 * The counts and the version of a user's lists. They are stored with the user, so reading them
 * takes the same time however long the lists are.
 */
export interface ListSummary {
  /** How many friends the user has. */
  friendCount: number;
  /** How many users the user blocks. */
  blockCount: number;
  /**
   * The user's version: it goes up by one with each change of the user's friend list, block list or
   * friend requests.
   */
  version: bigint;
  /**
   * How many pending friend requests the user has received. A request that has expired is not
   * counted.
   */
  incomingFriendRequestCount: number;
  /** How many pending friend requests the user has sent, counted in the same way. */
  outgoingFriendRequestCount: number;
}

/** A user to create. */
export interface NewUser {
  /** The username: 1-64 bytes of a-z 0-9 _ . - @, in any case. */
  username?: string | undefined;
  /** The nickname, at most 100 characters; may be empty. */
  nickname?: string | undefined;
}

/** The request of CreateUser. */
export interface CreateUserRequest {
  /** The user to create. */
  user?: NewUser | undefined;
}

/** The response of CreateUser. */
export interface CreateUserResponse {
  /** The created user. */
  user?: User;
}

/** The request of BatchCreateUsers. */
export interface BatchCreateUsersRequest {
  /** The users to create, 1-60. */
  users?: readonly NewUser[] | undefined;
}

/** The response of BatchCreateUsers. */
export interface BatchCreateUsersResponse {
  /** The created users, in the order of the request. */
  users: User[];
}

/** The request of GetUser. */
export interface GetUserRequest {
  /** The username. */
  username?: string | undefined;
}

/** The response of GetUser. */
export interface GetUserResponse {
  /** The user. */
  user?: User;
  /** The counts and the version of the user's lists. */
  listSummary?: ListSummary;
}

/** The request of ListUsers. */
export interface ListUsersRequest {
  /** The largest number of users to return: 1-100; 0 stands for 10. */
  pageSize?: number | undefined;
  /** The nextPageToken of the previous page; empty for the first page. */
  pageToken?: string | undefined;
}

/** The response of ListUsers. */
export interface ListUsersResponse {
  /** The users, in username order. */
  users: User[];
  /** The pageToken of the next page; empty on the last page. */
  nextPageToken: string;
}

/** The request of UpdateUser. */
export interface UpdateUserRequest {
  /** The username. */
  username?: string | undefined;
  /** The nickname, at most 100 characters. */
  nickname?: string | undefined;
  /**
   * The fields to change: nickname. A field that is named and absent is cleared. Without a mask, or
   * with an empty one, the fields that are present change.
   */
  updateMask?: readonly string[] | undefined;
}

/** The response of UpdateUser. */
export interface UpdateUserResponse {
  /** The user after the change. */
  user?: User;
}

/** The request of ActivateUser. */
export interface ActivateUserRequest {
  /** The username. */
  username?: string | undefined;
}

/** The response of ActivateUser. */
export interface ActivateUserResponse {
  /** The user after the change. */
  user?: User;
}

/** The request of DeactivateUser. */
export interface DeactivateUserRequest {
  /** The username. */
  username?: string | undefined;
}

/** The response of DeactivateUser. */
export interface DeactivateUserResponse {
  /** The user after the change. */
  user?: User;
}

/** The request of DeleteUser. */
export interface DeleteUserRequest {
  /** The username. */
  username?: string | undefined;
}

/** The response of DeleteUser. */
export interface DeleteUserResponse {
  /** The user's last profile. */
  user?: User;
}
