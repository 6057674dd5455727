// Written by `make clients` from the protos: change them, or tests/it/generated.

import type { CallOptions } from "../call.js";
import type {
  AcceptFriendRequestRequest,
  AcceptFriendRequestResponse,
  ActivateUserRequest,
  ActivateUserResponse,
  AddFriendRequest,
  AddFriendResponse,
  App,
  AuditEvent,
  BatchCreateUsersRequest,
  BatchCreateUsersResponse,
  BlockUsersRequest,
  BlockUsersResponse,
  CancelFriendRequestRequest,
  CancelFriendRequestResponse,
  CheckRelationsRequest,
  CheckRelationsResponse,
  CreateAppRequest,
  CreateAppResponse,
  CreateCallbackRuleRequest,
  CreateCallbackRuleResponse,
  CreateOperatorTokenRequest,
  CreateOperatorTokenResponse,
  CreateUserRequest,
  CreateUserResponse,
  DeactivateUserRequest,
  DeactivateUserResponse,
  DeleteAppRequest,
  DeleteAppResponse,
  DeleteCallbackRuleRequest,
  DeleteCallbackRuleResponse,
  DeleteUserRequest,
  DeleteUserResponse,
  Event,
  FriendRequest,
  GetAppRequest,
  GetAppResponse,
  GetCallbackRuleRequest,
  GetCallbackRuleResponse,
  GetEventRequest,
  GetEventResponse,
  GetFriendRequest,
  GetFriendResponse,
  GetUserRequest,
  GetUserResponse,
  ImportFriendsRequest,
  ImportFriendsResponse,
  IssueTokenRequest,
  IssueTokenResponse,
  ListAllBlockedUsersRequest,
  ListAllBlockedUsersResponse,
  ListAllFriendsRequest,
  ListAllFriendsResponse,
  ListAppsRequest,
  ListAppsResponse,
  ListAuditEventsRequest,
  ListAuditEventsResponse,
  ListBlockedUsersRequest,
  ListBlockedUsersResponse,
  ListCallbackRulesRequest,
  ListCallbackRulesResponse,
  ListEventsRequest,
  ListEventsResponse,
  ListFriendRequestsRequest,
  ListFriendRequestsResponse,
  ListFriendsRequest,
  ListFriendsResponse,
  ListFriendsResponseEntry,
  ListMutualFriendsRequest,
  ListMutualFriendsResponse,
  ListOperatorTokensRequest,
  ListOperatorTokensResponse,
  ListUsersRequest,
  ListUsersResponse,
  OperatorToken,
  RejectFriendRequestRequest,
  RejectFriendRequestResponse,
  RemoveAllFriendsRequest,
  RemoveAllFriendsResponse,
  RemoveFriendRequest,
  RemoveFriendResponse,
  RetryEventRequest,
  RetryEventResponse,
  RetryFailedEventsRequest,
  RetryFailedEventsResponse,
  RevokeOperatorTokenRequest,
  RevokeOperatorTokenResponse,
  RevokeTokenRequest,
  RevokeTokenResponse,
  RotateClientSecretRequest,
  RotateClientSecretResponse,
  RotateSigningSecretRequest,
  RotateSigningSecretResponse,
  SendFriendRequestRequest,
  SendFriendRequestResponse,
  SetCredentialsRequest,
  SetCredentialsResponse,
  SetRemarkRequest,
  SetRemarkResponse,
  SyncBlocksRequest,
  SyncBlocksResponse,
  SyncFriendsRequest,
  SyncFriendsResponse,
  TestCallbackRuleRequest,
  TestCallbackRuleResponse,
  UnblockUserRequest,
  UnblockUserResponse,
  UpdateAppRequest,
  UpdateAppResponse,
  UpdateCallbackRuleRequest,
  UpdateCallbackRuleResponse,
  UpdateFriendRequest,
  UpdateFriendResponse,
  UpdateUserRequest,
  UpdateUserResponse,
  User,
  WatchBlocksRequest,
  WatchBlocksResponse,
  WatchFriendsRequest,
  WatchFriendsResponse,
} from "./messages.js";

/**
 * Apps, which are the tenants: each has users, limits and credentials of its own. For operators
 * only, whose token every call needs, as metadata "authorization: Bearer <token>". Every operator
 * may read; changes need the role ADMIN.
 *
 * An app key is "org#app", each part 1-64 characters of A-Z a-z 0-9 _ -. Case matters. New limits
 * and credentials are in force at once on the instance that was called, and within a few seconds on
 * others.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong
 * tokens), INVALID_ARGUMENT (appKey, or the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED
 * and INTERNAL, every call but CreateApp and ListApps with APP_NOT_FOUND, and every change with
 * OPERATOR_ROLE and CONFLICT. Further errors are listed with each call.
 */
export interface AppService {
  /**
   * Creates an app and generates its clientId and clientSecret.
   *
   * Errors: APP_ALREADY_EXISTS, INVALID_ARGUMENT (limits).
   */
  createApp(request: CreateAppRequest, options?: CallOptions): Promise<CreateAppResponse>;

  /** Returns an app. */
  getApp(request: GetAppRequest, options?: CallOptions): Promise<GetAppResponse>;

  /**
   * Returns a page of all apps, in the order of their keys.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listApps(request: ListAppsRequest, options?: CallOptions): Promise<ListAppsResponse>;

  /** All entries of listApps, from the page of the request on. */
  iterateApps(request: ListAppsRequest, options?: CallOptions): AsyncIterable<App>;

  /**
   * Changes an app's limits. A lower friend or block limit removes nothing from longer lists; it
   * only refuses further entries.
   *
   * Errors: INVALID_ARGUMENT (limits, updateMask).
   */
  updateApp(request: UpdateAppRequest, options?: CallOptions): Promise<UpdateAppResponse>;

  /**
   * Generates another clientSecret for an app. The old one is refused from then on. Each call
   * generates another one.
   */
  rotateClientSecret(request: RotateClientSecretRequest, options?: CallOptions): Promise<RotateClientSecretResponse>;

  /**
   * Gives an app credentials that it has already with another service, so that its clients can keep
   * them: Easemob's clientId and clientSecret, NetEase's AppKey and AppSecret. The old ones are
   * refused from then on. Tokens stay valid.
   *
   * Errors: INVALID_ARGUMENT (half a pair, no credentials, credentials that another app has, or an
   * AppSecret while the service has no key to encrypt it).
   */
  setCredentials(request: SetCredentialsRequest, options?: CallOptions): Promise<SetCredentialsResponse>;

  /**
   * Deletes an app with all its users, lists, rules and events. Its tokens are refused from then
   * on, and its key can be used again. The rows are removed in the background. A second call fails
   * with APP_NOT_FOUND.
   */
  deleteApp(request: DeleteAppRequest, options?: CallOptions): Promise<DeleteAppResponse>;
}

/**
 * The audit: who changed what, when and from where. For operators of every role, whose token every
 * call needs, as metadata "authorization: Bearer <token>".
 *
 * A record is written in the transaction of its change, and is never changed. It is kept for a time
 * that the operator sets, 365 days by default.
 */
export interface AuditService {
  /**
   * Returns a page of records, the newest first.
   *
   * Errors: UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong tokens),
   * PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT (any filter, or the message can't
   * be read), UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
   */
  listAuditEvents(request: ListAuditEventsRequest, options?: CallOptions): Promise<ListAuditEventsResponse>;

  /** All entries of listAuditEvents, from the page of the request on. */
  iterateAuditEvents(request: ListAuditEventsRequest, options?: CallOptions): AsyncIterable<AuditEvent>;
}

/**
 * Block lists. A block is one-way and independent of friendship: a blocked friend stays a friend.
 *
 * The app is the app of the caller's token. Usernames may be given in any case; responses have them
 * in lower case. The bounds of lists and pages are the defaults: the operator can set others.
 *
 * Every change is one transaction: it happens as a whole or not at all.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_USERNAME,
 * USER_NOT_FOUND, INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and
 * INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
 */
export interface BlockService {
  /**
   * Adds 1-500 users to the owner's block list, all of them or none. Users who are blocked already
   * stay blocked. Pending friend requests from the newly blocked users to the owner are cancelled.
   *
   * Errors: BLOCK_LIMIT_EXCEEDED, SELF_RELATION, BATCH_TOO_LARGE, INVALID_ARGUMENT (no names).
   */
  blockUsers(request: BlockUsersRequest, options?: CallOptions): Promise<BlockUsersResponse>;

  /** Removes a user from the owner's block list. If the user is not in it, nothing changes. */
  unblockUser(request: UnblockUserRequest, options?: CallOptions): Promise<UnblockUserResponse>;

  /**
   * Returns a page of a block list, the newest first.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listBlockedUsers(request: ListBlockedUsersRequest, options?: CallOptions): Promise<ListBlockedUsersResponse>;

  /** All entries of listBlockedUsers, from the page of the request on. */
  iterateBlockedUsers(request: ListBlockedUsersRequest, options?: CallOptions): AsyncIterable<string>;

  /** Returns the newest 500 blocked users, and how many there are. */
  listAllBlockedUsers(request: ListAllBlockedUsersRequest, options?: CallOptions): Promise<ListAllBlockedUsersResponse>;

  /**
   * Returns what has changed in a block list since a version, removals included. A client that
   * applies all pages has exactly the list as of the last page's nextVersion.
   *
   * Errors: VERSION_AHEAD, PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT
   * (sinceVersion).
   */
  syncBlocks(request: SyncBlocksRequest, options?: CallOptions): Promise<SyncBlocksResponse>;

  /** All pages of syncBlocks. After VERSION_AHEAD they begin again from 0, with fullResync. */
  iterateSyncBlocks(request: SyncBlocksRequest, options?: CallOptions): AsyncIterable<SyncBlocksResponse>;

  /**
   * Sends what has changed in a block list since a version, and then every change as it happens.
   * The stream begins and ends as that of FriendService.WatchFriends.
   *
   * Errors: VERSION_AHEAD, INVALID_ARGUMENT (sinceVersion), UNAVAILABLE (also when the instance
   * has as many watchers as it can). During the stream: WATCHER_TOO_SLOW (the client does not
   * read), USER_NOT_FOUND (the owner was deleted), UNAUTHENTICATED (the token was revoked or has
   * expired).
   *
   * The client watches again by itself, from the last version. After VERSION_AHEAD it begins again from 0,
   * with fullResync.
   */
  watchBlocks(request: WatchBlocksRequest, options?: CallOptions): AsyncIterable<WatchBlocksResponse>;
}

/**
 * Callback rules: where the events of an app are sent, as signed HTTP POSTs. An app can have up to
 * 4 by default. For operators only, whose token every call needs, as metadata "authorization:
 * Bearer <token>". Every operator may read, TestCallbackRule needs the role SUPPORT, and changes
 * need the role ADMIN.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong
 * tokens), APP_NOT_FOUND, INVALID_ARGUMENT (appKey, ruleId, or the message can't be read),
 * UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, every call that names a rule with
 * CALLBACK_RULE_NOT_FOUND, and every change with OPERATOR_ROLE and CONFLICT. Further errors are
 * listed with each call.
 */
export interface CallbackRuleService {
  /**
   * Creates a callback rule, enabled. The app's events that happen from then on, and are of the
   * rule's types, are sent to its URL. Each call creates another rule.
   *
   * Errors: CALLBACK_RULE_LIMIT_EXCEEDED, INVALID_ARGUMENT (any field).
   */
  createCallbackRule(request: CreateCallbackRuleRequest, options?: CallOptions): Promise<CreateCallbackRuleResponse>;

  /** Returns a callback rule. */
  getCallbackRule(request: GetCallbackRuleRequest, options?: CallOptions): Promise<GetCallbackRuleResponse>;

  /** Returns all callback rules of an app, the oldest first. They are few enough for one response. */
  listCallbackRules(request: ListCallbackRulesRequest, options?: CallOptions): Promise<ListCallbackRulesResponse>;

  /**
   * Changes fields of a callback rule. A disabled rule gets no new events; the events that it has
   * wait until it is enabled again.
   *
   * Errors: INVALID_ARGUMENT (any field).
   */
  updateCallbackRule(request: UpdateCallbackRuleRequest, options?: CallOptions): Promise<UpdateCallbackRuleResponse>;

  /**
   * Deletes a callback rule with all its events, the pending ones included. A second call fails
   * with CALLBACK_RULE_NOT_FOUND.
   */
  deleteCallbackRule(request: DeleteCallbackRuleRequest, options?: CallOptions): Promise<DeleteCallbackRuleResponse>;

  /**
   * Gives a callback rule another signing secret. For a grace period requests carry two signatures,
   * by the new secret and by the one before, so that the receiver can change over without a gap.
   *
   * Not idempotent: a second call ends the grace period of the secret before the first one.
   *
   * Errors: INVALID_ARGUMENT (gracePeriod, signingSecret).
   */
  rotateSigningSecret(request: RotateSigningSecretRequest, options?: CallOptions): Promise<RotateSigningSecretResponse>;

  /**
   * Sends one event of type "callback.test" to the rule's URL, even if the rule is disabled, and
   * returns what the receiver answered. The event is sent once, and is not kept. That the receiver
   * fails is a result, and not an error.
   */
  testCallbackRule(request: TestCallbackRuleRequest, options?: CallOptions): Promise<TestCallbackRuleResponse>;
}

/**
 * The app's events, and what became of them. The app is the app of the caller's token. An operator
 * names it in appKey.
 *
 * An event exists once for each callback rule that wants it. Delivered and failed events are kept
 * for a time that the operator sets, 7 days by default. The bounds of pages are the defaults: the
 * operator can set others.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_ARGUMENT (the
 * message can't be read, or appKey), UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, and every change
 * with CONFLICT; for operators also with APP_NOT_FOUND and OPERATOR_ROLE, and not with RATE_LIMITED.
 * Further errors are listed with each call.
 */
export interface EventService {
  /**
   * Returns a page of events, the newest first.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_USERNAME, INVALID_ARGUMENT (any
   * filter).
   */
  listEvents(request: ListEventsRequest, options?: CallOptions): Promise<ListEventsResponse>;

  /** All entries of listEvents, from the page of the request on. */
  iterateEvents(request: ListEventsRequest, options?: CallOptions): AsyncIterable<Event>;

  /**
   * Returns an event with the attempts to deliver it.
   *
   * Errors: EVENT_NOT_FOUND.
   */
  getEvent(request: GetEventRequest, options?: CallOptions): Promise<GetEventResponse>;

  /**
   * Sends an event again, as soon as possible: one that has failed, one that was delivered, or one
   * that waits for its next attempt. Its webhookId stays the same. If the event is delivered
   * before a second call, the second call sends it once more. An operator needs the role SUPPORT.
   *
   * Errors: EVENT_NOT_FOUND.
   */
  retryEvent(request: RetryEventRequest, options?: CallOptions): Promise<RetryEventResponse>;

  /**
   * Sends the failed events of a rule again that happened within a range of time, the oldest first,
   * at most 10000 in one call. A second call goes on with the next ones. An operator needs the role
   * SUPPORT.
   *
   * Errors: CALLBACK_RULE_NOT_FOUND, INVALID_ARGUMENT (ruleId, startTime, endTime).
   */
  retryFailedEvents(request: RetryFailedEventsRequest, options?: CallOptions): Promise<RetryFailedEventsResponse>;
}

/**
 * Friend lists and friend requests.
 *
 * A friendship has two entries, one in each user's friend list, and each entry has its owner's own
 * remark and extensions. The app is the app of the caller's token, and users are looked up in that
 * app only. Usernames may be given in any case; responses have them in lower case. The bounds of
 * lists and pages are the defaults: the operator can set others.
 *
 * Every change is one transaction: it happens as a whole or not at all.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_USERNAME,
 * USER_NOT_FOUND, INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and
 * INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
 */
export interface FriendService {
  /**
   * Makes two users friends at once, without a friend request. Block lists do not matter. A pending
   * friend request between the two is accepted. If the two are friends already, nothing changes,
   * and serverExtension is ignored.
   *
   * Errors: FRIEND_LIMIT_EXCEEDED (either list is full), SELF_RELATION, INVALID_EXTENSION.
   */
  addFriend(request: AddFriendRequest, options?: CallOptions): Promise<AddFriendResponse>;

  /**
   * Ends a friendship on both sides. If the two are not friends, only the remark is cleared, if
   * clearRemark is set.
   *
   * Errors: SELF_RELATION.
   */
  removeFriend(request: RemoveFriendRequest, options?: CallOptions): Promise<RemoveFriendResponse>;

  /**
   * Ends all friendships of a user, each on both sides, and clears all remarks of the user. Block
   * lists and friend requests stay. A second call removes 0 friends.
   */
  removeAllFriends(request: RemoveAllFriendsRequest, options?: CallOptions): Promise<RemoveAllFriendsResponse>;

  /**
   * Sets the owner's remark on a friend. Only the owner sees the remark.
   *
   * Errors: NOT_FRIENDS, INVALID_REMARK.
   */
  setRemark(request: SetRemarkRequest, options?: CallOptions): Promise<SetRemarkResponse>;

  /**
   * Returns one entry of a friend list.
   *
   * Errors: NOT_FRIENDS.
   */
  getFriend(request: GetFriendRequest, options?: CallOptions): Promise<GetFriendResponse>;

  /**
   * Returns a page of a friend list, in username order. A client that reads all pages while others
   * write gets every friend who is in the list the whole time exactly once.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listFriends(request: ListFriendsRequest, options?: CallOptions): Promise<ListFriendsResponse>;

  /** All entries of listFriends, from the page of the request on. */
  iterateFriends(request: ListFriendsRequest, options?: CallOptions): AsyncIterable<ListFriendsResponseEntry>;

  /** Returns the names of all friends of a user. The app's friend limit bounds the response. */
  listAllFriends(request: ListAllFriendsRequest, options?: CallOptions): Promise<ListAllFriendsResponse>;

  /**
   * Makes a user the friend of 1-10 others, as AddFriend does, and returns a result for each name.
   *
   * Errors of the whole call: BATCH_TOO_LARGE, INVALID_ARGUMENT (no names), FRIEND_LIMIT_EXCEEDED
   * (the owner's list was full before the call, and a user is named who is not in it). A name that
   * is not a username or belongs to nobody is a result, and not an error.
   */
  importFriends(request: ImportFriendsRequest, options?: CallOptions): Promise<ImportFriendsResponse>;

  /**
   * Changes fields of the owner's entry of a friend.
   *
   * Errors: NOT_FRIENDS, INVALID_REMARK, INVALID_EXTENSION, INVALID_ARGUMENT (updateMask).
   */
  updateFriend(request: UpdateFriendRequest, options?: CallOptions): Promise<UpdateFriendResponse>;

  /**
   * Returns what has changed in a friend list since a version, removals included. A client that
   * applies all pages has exactly the list as of the last page's nextVersion.
   *
   * Errors: VERSION_AHEAD, PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT
   * (sinceVersion, updatedAfter).
   */
  syncFriends(request: SyncFriendsRequest, options?: CallOptions): Promise<SyncFriendsResponse>;

  /** All pages of syncFriends. After VERSION_AHEAD they begin again from 0, with fullResync. */
  iterateSyncFriends(request: SyncFriendsRequest, options?: CallOptions): AsyncIterable<SyncFriendsResponse>;

  /**
   * Sends what has changed in a friend list since a version, and then every change as it happens.
   * The first message is sent at once, even without changes. The stream ends with OK when the
   * instance shuts down, or after a time that the operator sets (1 hour by default): watch again
   * from the last nextVersion.
   *
   * Errors: VERSION_AHEAD, INVALID_ARGUMENT (sinceVersion), UNAVAILABLE (also when the instance
   * has as many watchers as it can). During the stream: WATCHER_TOO_SLOW (the client does not
   * read), USER_NOT_FOUND (the owner was deleted), UNAUTHENTICATED (the token was revoked or has
   * expired).
   *
   * The client watches again by itself, from the last version. After VERSION_AHEAD it begins again from 0,
   * with fullResync.
   */
  watchFriends(request: WatchFriendsRequest, options?: CallOptions): AsyncIterable<WatchFriendsResponse>;

  /**
   * Sends a friend request. While a request is pending, another call replaces its message. If the
   * recipient has a pending request to the requester, that request is accepted instead.
   *
   * Not idempotent: after such an acceptance a second call fails with ALREADY_FRIENDS, and after a
   * rejection it sends another request.
   *
   * Errors: SELF_RELATION, ALREADY_FRIENDS, BLOCKED (the recipient blocks the requester),
   * FRIEND_REQUEST_LIMIT_EXCEEDED, FRIEND_LIMIT_EXCEEDED (either friend list is full, when a
   * request is accepted), INVALID_ARGUMENT (message).
   */
  sendFriendRequest(request: SendFriendRequestRequest, options?: CallOptions): Promise<SendFriendRequestResponse>;

  /**
   * Accepts a pending friend request: the two are friends at once. Accepting a request again
   * changes nothing while the two are friends.
   *
   * Errors: FRIEND_REQUEST_NOT_FOUND, BLOCKED (either user blocks the other), FRIEND_LIMIT_EXCEEDED
   * (either list is full; the request stays pending), INVALID_ARGUMENT (message).
   */
  acceptFriendRequest(request: AcceptFriendRequestRequest, options?: CallOptions): Promise<AcceptFriendRequestResponse>;

  /**
   * Rejects a pending friend request. Rejecting a request again changes nothing.
   *
   * Errors: FRIEND_REQUEST_NOT_FOUND, INVALID_ARGUMENT (message).
   */
  rejectFriendRequest(request: RejectFriendRequestRequest, options?: CallOptions): Promise<RejectFriendRequestResponse>;

  /**
   * Cancels a pending friend request, for the requester. Cancelling a request again changes
   * nothing.
   *
   * Errors: FRIEND_REQUEST_NOT_FOUND, INVALID_ARGUMENT (message).
   */
  cancelFriendRequest(request: CancelFriendRequestRequest, options?: CallOptions): Promise<CancelFriendRequestResponse>;

  /**
   * Returns a page of the friend requests that a user received or sent, the newest first. Of
   * several requests from one user to another only the last one is kept. Ended requests are removed
   * after a time that the operator sets (30 days by default).
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT (direction, states).
   */
  listFriendRequests(request: ListFriendRequestsRequest, options?: CallOptions): Promise<ListFriendRequestsResponse>;

  /** All entries of listFriendRequests, from the page of the request on. */
  iterateFriendRequests(request: ListFriendRequestsRequest, options?: CallOptions): AsyncIterable<FriendRequest>;

  /**
   * Returns a page of the users who are friends of both of two users, in username order.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listMutualFriends(request: ListMutualFriendsRequest, options?: CallOptions): Promise<ListMutualFriendsResponse>;

  /** All entries of listMutualFriends, from the page of the request on. */
  iterateMutualFriends(request: ListMutualFriendsRequest, options?: CallOptions): AsyncIterable<string>;
}

/**
 * Operator tokens: each stands for one person or program that runs the installation, with a name
 * and a role. For operators only, whose token every call needs, as metadata "authorization: Bearer
 * <token>".
 *
 * The operator token of the settings is the root: it has the role ADMIN, is not listed, and can't
 * be revoked by a call.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, OPERATOR_ROLE, RATE_LIMITED (after too
 * many wrong tokens), INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED
 * and INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
 */
export interface OperatorTokenService {
  /**
   * Creates an operator token. Needs the role ADMIN.
   *
   * Errors: OPERATOR_TOKEN_ALREADY_EXISTS, INVALID_ARGUMENT (name, role, ttl).
   */
  createOperatorToken(request: CreateOperatorTokenRequest, options?: CallOptions): Promise<CreateOperatorTokenResponse>;

  /**
   * Returns a page of the operator tokens that have not expired, in the order of their names.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listOperatorTokens(request: ListOperatorTokensRequest, options?: CallOptions): Promise<ListOperatorTokensResponse>;

  /** All entries of listOperatorTokens, from the page of the request on. */
  iterateOperatorTokens(request: ListOperatorTokensRequest, options?: CallOptions): AsyncIterable<OperatorToken>;

  /**
   * Revokes an operator token. The instance that is called refuses the token from then on, other
   * instances within a few seconds. The name can be used again. A second call fails with
   * OPERATOR_TOKEN_NOT_FOUND. Needs the role ADMIN.
   *
   * Errors: OPERATOR_TOKEN_NOT_FOUND, INVALID_ARGUMENT (name).
   */
  revokeOperatorToken(request: RevokeOperatorTokenRequest, options?: CallOptions): Promise<RevokeOperatorTokenResponse>;
}

/**
 * How users stand to each other. A message service asks "May A write to B?" for every message.
 *
 * The app is the app of the caller's token. Usernames may be given in any case; responses have them
 * in lower case. The bound of a list is the default: the operator can set another.
 */
export interface RelationService {
  /**
   * Returns how a user and 1-100 others stand to each other. A user has no relation to a name that
   * belongs to nobody.
   *
   * Errors: USER_NOT_FOUND (the user; never one of the others), INVALID_USERNAME, BATCH_TOO_LARGE,
   * INVALID_ARGUMENT (no others, or the message can't be read), UNAUTHENTICATED, TOKEN_SCOPE,
   * RATE_LIMITED, UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
   */
  checkRelations(request: CheckRelationsRequest, options?: CallOptions): Promise<CheckRelationsResponse>;
}

/**
 * App tokens. A client sends its token with each call, as metadata "authorization: Bearer <token>".
 *
 * Every call can fail with INVALID_ARGUMENT (the message can't be read), RATE_LIMITED, UNAVAILABLE,
 * DEADLINE_EXCEEDED, CONFLICT and INTERNAL. Further errors are listed with each call.
 */
export interface TokenService {
  /**
   * Issues a token for an app's credentials. The call itself needs no token. Each call issues
   * another token, and the ones before stay valid.
   *
   * Errors: INVALID_CREDENTIALS, INVALID_ARGUMENT (ttl), RATE_LIMITED (also after too many failed
   * logins from the client's address).
   */
  issueToken(request: IssueTokenRequest, options?: CallOptions): Promise<IssueTokenResponse>;

  /**
   * Revokes a token of the caller's app. A token that is unknown or of another app is left alone,
   * which is no error. Other instances may accept a revoked token for a few seconds more.
   *
   * Not idempotent: a call that revokes the token that it was made with fails the second time.
   *
   * Errors: UNAUTHENTICATED, TOKEN_SCOPE.
   */
  revokeToken(request: RevokeTokenRequest, options?: CallOptions): Promise<RevokeTokenResponse>;
}

/**
 * The users of an app. The app is the app of the caller's token.
 *
 * A username is 1-64 bytes of a-z 0-9 _ . - @. Usernames may be given in any case; they are stored
 * and returned in lower case. The bounds of lists and pages are the defaults: the operator can set
 * others.
 *
 * Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_ARGUMENT (the
 * message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, every call that names a user
 * with INVALID_USERNAME, and every change with CONFLICT. Further errors are listed with each call.
 */
export interface UserService {
  /**
   * Creates a user, who is active and has empty lists. If a deleted user of the same name is still
   * being removed from lists, the call finishes that first.
   *
   * Errors: USER_ALREADY_EXISTS, INVALID_ARGUMENT (nickname).
   */
  createUser(request: CreateUserRequest, options?: CallOptions): Promise<CreateUserResponse>;

  /**
   * Creates 1-60 users, all of them or none.
   *
   * Errors: USER_ALREADY_EXISTS (also for a name that is given twice), INVALID_ARGUMENT (nickname,
   * no users), BATCH_TOO_LARGE.
   */
  batchCreateUsers(request: BatchCreateUsersRequest, options?: CallOptions): Promise<BatchCreateUsersResponse>;

  /**
   * Returns a user, with the counts and the version of the user's lists.
   *
   * Errors: USER_NOT_FOUND.
   */
  getUser(request: GetUserRequest, options?: CallOptions): Promise<GetUserResponse>;

  /**
   * Returns a page of the app's users, in username order.
   *
   * Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
   */
  listUsers(request: ListUsersRequest, options?: CallOptions): Promise<ListUsersResponse>;

  /** All entries of listUsers, from the page of the request on. */
  iterateUsers(request: ListUsersRequest, options?: CallOptions): AsyncIterable<User>;

  /**
   * Changes fields of a user.
   *
   * Errors: USER_NOT_FOUND, INVALID_ARGUMENT (nickname, updateMask).
   */
  updateUser(request: UpdateUserRequest, options?: CallOptions): Promise<UpdateUserResponse>;

  /**
   * Marks a user as active. A user who is active stays active.
   *
   * Errors: USER_NOT_FOUND.
   */
  activateUser(request: ActivateUserRequest, options?: CallOptions): Promise<ActivateUserResponse>;

  /**
   * Marks a user as banned. The mark is in the profile only: lists and relations stay as they are,
   * and calls about the user succeed.
   *
   * Errors: USER_NOT_FOUND.
   */
  deactivateUser(request: DeactivateUserRequest, options?: CallOptions): Promise<DeactivateUserResponse>;

  /**
   * Deletes a user. No call finds the user from then on. The user is then removed from all friend
   * lists, block lists and friend requests, in batches, which may go on after the call.
   *
   * Errors: USER_NOT_FOUND, also for a second call.
   */
  deleteUser(request: DeleteUserRequest, options?: CallOptions): Promise<DeleteUserResponse>;
}

/** All services, by the client's names for them. */
export interface Services {
  readonly apps: AppService;
  readonly audit: AuditService;
  readonly blocks: BlockService;
  readonly callbackRules: CallbackRuleService;
  readonly events: EventService;
  readonly friends: FriendService;
  readonly operatorTokens: OperatorTokenService;
  readonly relations: RelationService;
  readonly tokens: TokenService;
  readonly users: UserService;
}
