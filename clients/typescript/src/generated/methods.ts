// Written by `make clients` from the protos: change them, or tests/it/generated.

import {
  choice,
  duration,
  flag,
  int32,
  int64,
  list,
  mask,
  message,
  optional,
  text,
  time,
  type Shape,
} from "../codec.js";

const App: Shape = {
  uuid: text,
  appKey: text,
  clientId: text,
  limits: message(() => AppLimits),
  createTime: time,
  updateTime: time,
  neteaseAppKey: text,
};

const AppLimits: Shape = {
  friendLimit: optional(int32),
  blockLimit: optional(int32),
  requestsPerSecond: optional(int32),
};

const CreateAppRequest: Shape = {
  appKey: text,
  limits: message(() => AppLimits),
};

const CreateAppResponse: Shape = {
  app: message(() => App),
  clientSecret: text,
};

const GetAppRequest: Shape = {
  appKey: text,
};

const GetAppResponse: Shape = {
  app: message(() => App),
};

const ListAppsRequest: Shape = {
  pageSize: int32,
  pageToken: text,
};

const ListAppsResponse: Shape = {
  apps: list(message(() => App)),
  nextPageToken: text,
};

const UpdateAppRequest: Shape = {
  appKey: text,
  limits: message(() => AppLimits),
  updateMask: mask,
};

const UpdateAppResponse: Shape = {
  app: message(() => App),
};

const RotateClientSecretRequest: Shape = {
  appKey: text,
  revokeTokens: flag,
};

const RotateClientSecretResponse: Shape = {
  app: message(() => App),
  clientSecret: text,
};

const SetCredentialsRequest: Shape = {
  appKey: text,
  clientId: text,
  clientSecret: text,
  neteaseAppKey: text,
  neteaseAppSecret: text,
  removeNeteaseCredentials: flag,
};

const SetCredentialsResponse: Shape = {
  app: message(() => App),
};

const DeleteAppRequest: Shape = {
  appKey: text,
};

const DeleteAppResponse: Shape = {};

const AuditEvent: Shape = {
  auditEventId: text,
  createTime: time,
  actorKind: choice("ACTOR_KIND_UNSPECIFIED"),
  actorName: text,
  origin: text,
  action: text,
  appUuid: text,
  appKey: text,
  target: text,
  before: text,
  after: text,
};

const ListAuditEventsRequest: Shape = {
  startTime: time,
  endTime: time,
  actorKind: choice("ACTOR_KIND_UNSPECIFIED"),
  actorName: text,
  action: text,
  appKey: text,
  pageSize: int32,
  pageToken: text,
};

const ListAuditEventsResponse: Shape = {
  auditEvents: list(message(() => AuditEvent)),
  nextPageToken: text,
};

const BlockUsersRequest: Shape = {
  owner: text,
  usernames: list(text),
};

const BlockUsersResponse: Shape = {
  usernames: list(text),
};

const UnblockUserRequest: Shape = {
  owner: text,
  username: text,
};

const UnblockUserResponse: Shape = {
  user: message(() => User),
};

const ListBlockedUsersRequest: Shape = {
  owner: text,
  pageSize: int32,
  pageToken: text,
};

const ListBlockedUsersResponse: Shape = {
  usernames: list(text),
  nextPageToken: text,
};

const ListAllBlockedUsersRequest: Shape = {
  owner: text,
};

const ListAllBlockedUsersResponse: Shape = {
  usernames: list(text),
  totalSize: int32,
};

const BlockChange: Shape = {
  blocked: optional(text),
  unblocked: optional(text),
  version: int64,
};

const SyncBlocksRequest: Shape = {
  owner: text,
  sinceVersion: int64,
  pageSize: int32,
  pageToken: text,
};

const SyncBlocksResponse: Shape = {
  changes: list(message(() => BlockChange)),
  nextVersion: int64,
  hasMore: flag,
  nextPageToken: text,
  fullResync: flag,
};

const WatchBlocksRequest: Shape = {
  owner: text,
  sinceVersion: int64,
};

const WatchBlocksResponse: Shape = {
  changes: list(message(() => BlockChange)),
  nextVersion: int64,
  fullResync: flag,
  upToDate: flag,
};

const CallbackRule: Shape = {
  ruleId: text,
  appKey: text,
  url: text,
  eventTypes: list(text),
  bodyFormat: choice("BODY_FORMAT_UNSPECIFIED"),
  enabled: flag,
  disabledReason: text,
  caCertificates: text,
  createTime: time,
  updateTime: time,
};

const CreateCallbackRuleRequest: Shape = {
  appKey: text,
  url: text,
  eventTypes: list(text),
  bodyFormat: choice("BODY_FORMAT_UNSPECIFIED"),
  caCertificates: text,
  signingSecret: text,
};

const CreateCallbackRuleResponse: Shape = {
  rule: message(() => CallbackRule),
  signingSecret: text,
};

const GetCallbackRuleRequest: Shape = {
  appKey: text,
  ruleId: text,
};

const GetCallbackRuleResponse: Shape = {
  rule: message(() => CallbackRule),
};

const ListCallbackRulesRequest: Shape = {
  appKey: text,
};

const ListCallbackRulesResponse: Shape = {
  rules: list(message(() => CallbackRule)),
};

const UpdateCallbackRuleRequest: Shape = {
  appKey: text,
  ruleId: text,
  url: optional(text),
  eventTypes: list(text),
  bodyFormat: optional(choice("BODY_FORMAT_UNSPECIFIED")),
  enabled: optional(flag),
  caCertificates: optional(text),
  updateMask: mask,
};

const UpdateCallbackRuleResponse: Shape = {
  rule: message(() => CallbackRule),
};

const DeleteCallbackRuleRequest: Shape = {
  appKey: text,
  ruleId: text,
};

const DeleteCallbackRuleResponse: Shape = {};

const RotateSigningSecretRequest: Shape = {
  appKey: text,
  ruleId: text,
  gracePeriod: duration,
  signingSecret: text,
};

const RotateSigningSecretResponse: Shape = {
  rule: message(() => CallbackRule),
  signingSecret: text,
};

const TestCallbackRuleRequest: Shape = {
  appKey: text,
  ruleId: text,
};

const TestCallbackRuleResponse: Shape = {
  attempt: message(() => DeliveryAttempt),
};

const Event: Shape = {
  eventId: text,
  webhookId: text,
  ruleId: text,
  eventType: text,
  owner: text,
  other: text,
  version: int64,
  state: choice("EVENT_STATE_UNSPECIFIED"),
  attemptCount: int32,
  createTime: time,
  nextAttemptTime: time,
  finishTime: time,
};

const DeliveryAttempt: Shape = {
  startTime: time,
  httpStatus: int32,
  duration: duration,
  responseBody: text,
  error: text,
};

const ListEventsRequest: Shape = {
  ruleId: text,
  owner: text,
  eventType: text,
  state: choice("EVENT_STATE_UNSPECIFIED"),
  startTime: time,
  endTime: time,
  pageSize: int32,
  pageToken: text,
  appKey: text,
};

const ListEventsResponse: Shape = {
  events: list(message(() => Event)),
  nextPageToken: text,
};

const GetEventRequest: Shape = {
  eventId: text,
  appKey: text,
};

const GetEventResponse: Shape = {
  event: message(() => Event),
  attempts: list(message(() => DeliveryAttempt)),
};

const RetryEventRequest: Shape = {
  eventId: text,
  appKey: text,
};

const RetryEventResponse: Shape = {
  event: message(() => Event),
};

const RetryFailedEventsRequest: Shape = {
  ruleId: text,
  startTime: time,
  endTime: time,
  appKey: text,
};

const RetryFailedEventsResponse: Shape = {
  retriedCount: int32,
};

const Friend: Shape = {
  username: text,
  remark: text,
  extension: text,
  serverExtension: text,
  bidirectional: flag,
  createTime: time,
  updateTime: time,
  version: int64,
};

const AddFriendRequest: Shape = {
  owner: text,
  friend: text,
  serverExtension: text,
};

const AddFriendResponse: Shape = {
  friend: message(() => Friend),
  user: message(() => User),
};

const RemoveFriendRequest: Shape = {
  owner: text,
  friend: text,
  clearRemark: flag,
};

const RemoveFriendResponse: Shape = {
  user: message(() => User),
};

const RemoveAllFriendsRequest: Shape = {
  owner: text,
};

const RemoveAllFriendsResponse: Shape = {
  removedCount: int32,
};

const SetRemarkRequest: Shape = {
  owner: text,
  friend: text,
  remark: text,
};

const SetRemarkResponse: Shape = {
  friend: message(() => Friend),
};

const GetFriendRequest: Shape = {
  owner: text,
  friend: text,
};

const GetFriendResponse: Shape = {
  friend: message(() => Friend),
};

const ListFriendsRequest: Shape = {
  owner: text,
  pageSize: int32,
  pageToken: text,
  includeRemark: flag,
};

const ListFriendsResponse: Shape = {
  entries: list(message(() => ListFriendsResponseEntry)),
  nextPageToken: text,
};

const ListFriendsResponseEntry: Shape = {
  username: text,
  remark: optional(text),
};

const ListAllFriendsRequest: Shape = {
  owner: text,
};

const ListAllFriendsResponse: Shape = {
  usernames: list(text),
  totalSize: int32,
};

const ImportFriendsRequest: Shape = {
  owner: text,
  usernames: list(text),
  notify: flag,
};

const ImportFriendsResponse: Shape = {
  succeeded: list(text),
  notFound: list(text),
  limitExceeded: list(text),
  failed: list(text),
};

const UpdateFriendRequest: Shape = {
  owner: text,
  friend: text,
  remark: optional(text),
  extension: optional(text),
  serverExtension: optional(text),
  updateMask: mask,
};

const UpdateFriendResponse: Shape = {
  friend: message(() => Friend),
};

const FriendChange: Shape = {
  upserted: message(() => Friend),
  removed: optional(text),
  version: int64,
};

const SyncFriendsRequest: Shape = {
  owner: text,
  sinceVersion: int64,
  updatedAfter: time,
  pageSize: int32,
  pageToken: text,
};

const SyncFriendsResponse: Shape = {
  changes: list(message(() => FriendChange)),
  nextVersion: int64,
  hasMore: flag,
  nextPageToken: text,
  fullResync: flag,
};

const WatchFriendsRequest: Shape = {
  owner: text,
  sinceVersion: int64,
};

const WatchFriendsResponse: Shape = {
  changes: list(message(() => FriendChange)),
  nextVersion: int64,
  fullResync: flag,
  upToDate: flag,
};

const FriendRequest: Shape = {
  requester: text,
  recipient: text,
  state: choice("FRIEND_REQUEST_STATE_UNSPECIFIED"),
  message: text,
  answer: text,
  createTime: time,
  updateTime: time,
  expireTime: time,
};

const SendFriendRequestRequest: Shape = {
  requester: text,
  recipient: text,
  message: text,
};

const SendFriendRequestResponse: Shape = {
  friendRequest: message(() => FriendRequest),
};

const AcceptFriendRequestRequest: Shape = {
  requester: text,
  recipient: text,
  message: text,
};

const AcceptFriendRequestResponse: Shape = {
  friendRequest: message(() => FriendRequest),
  friend: message(() => Friend),
};

const RejectFriendRequestRequest: Shape = {
  requester: text,
  recipient: text,
  message: text,
};

const RejectFriendRequestResponse: Shape = {
  friendRequest: message(() => FriendRequest),
};

const CancelFriendRequestRequest: Shape = {
  requester: text,
  recipient: text,
  message: text,
};

const CancelFriendRequestResponse: Shape = {
  friendRequest: message(() => FriendRequest),
};

const ListFriendRequestsRequest: Shape = {
  username: text,
  direction: choice("FRIEND_REQUEST_DIRECTION_UNSPECIFIED"),
  states: list(choice("FRIEND_REQUEST_STATE_UNSPECIFIED")),
  pageSize: int32,
  pageToken: text,
};

const ListFriendRequestsResponse: Shape = {
  friendRequests: list(message(() => FriendRequest)),
  nextPageToken: text,
};

const ListMutualFriendsRequest: Shape = {
  username: text,
  other: text,
  pageSize: int32,
  pageToken: text,
};

const ListMutualFriendsResponse: Shape = {
  usernames: list(text),
  nextPageToken: text,
};

const OperatorToken: Shape = {
  name: text,
  role: choice("OPERATOR_ROLE_UNSPECIFIED"),
  createTime: time,
  expireTime: time,
};

const CreateOperatorTokenRequest: Shape = {
  name: text,
  role: choice("OPERATOR_ROLE_UNSPECIFIED"),
  ttl: duration,
};

const CreateOperatorTokenResponse: Shape = {
  operatorToken: message(() => OperatorToken),
  accessToken: text,
};

const ListOperatorTokensRequest: Shape = {
  pageSize: int32,
  pageToken: text,
};

const ListOperatorTokensResponse: Shape = {
  operatorTokens: list(message(() => OperatorToken)),
  nextPageToken: text,
};

const RevokeOperatorTokenRequest: Shape = {
  name: text,
};

const RevokeOperatorTokenResponse: Shape = {};

const CheckRelationsRequest: Shape = {
  username: text,
  others: list(text),
};

const Relation: Shape = {
  username: text,
  isFriend: flag,
  blocks: flag,
  blockedBy: flag,
};

const CheckRelationsResponse: Shape = {
  relations: list(message(() => Relation)),
};

const IssueTokenRequest: Shape = {
  clientId: text,
  clientSecret: text,
  ttl: duration,
};

const IssueTokenResponse: Shape = {
  accessToken: text,
  expiresIn: duration,
  appUuid: text,
};

const RevokeTokenRequest: Shape = {
  accessToken: text,
};

const RevokeTokenResponse: Shape = {};

const User: Shape = {
  uuid: text,
  username: text,
  nickname: text,
  activated: flag,
  createTime: time,
  updateTime: time,
};

const ListSummary: Shape = {
  friendCount: int32,
  blockCount: int32,
  version: int64,
  incomingFriendRequestCount: int32,
  outgoingFriendRequestCount: int32,
};

const NewUser: Shape = {
  username: text,
  nickname: text,
};

const CreateUserRequest: Shape = {
  user: message(() => NewUser),
};

const CreateUserResponse: Shape = {
  user: message(() => User),
};

const BatchCreateUsersRequest: Shape = {
  users: list(message(() => NewUser)),
};

const BatchCreateUsersResponse: Shape = {
  users: list(message(() => User)),
};

const GetUserRequest: Shape = {
  username: text,
};

const GetUserResponse: Shape = {
  user: message(() => User),
  listSummary: message(() => ListSummary),
};

const ListUsersRequest: Shape = {
  pageSize: int32,
  pageToken: text,
};

const ListUsersResponse: Shape = {
  users: list(message(() => User)),
  nextPageToken: text,
};

const UpdateUserRequest: Shape = {
  username: text,
  nickname: optional(text),
  updateMask: mask,
};

const UpdateUserResponse: Shape = {
  user: message(() => User),
};

const ActivateUserRequest: Shape = {
  username: text,
};

const ActivateUserResponse: Shape = {
  user: message(() => User),
};

const DeactivateUserRequest: Shape = {
  username: text,
};

const DeactivateUserResponse: Shape = {
  user: message(() => User),
};

const DeleteUserRequest: Shape = {
  username: text,
};

const DeleteUserResponse: Shape = {
  user: message(() => User),
};

/** How the methods of each service are called. */
export const methods = {
  apps: {
    createApp: {
      path: "befriend.v1.AppService/CreateApp",
      repeatable: false,
      request: CreateAppRequest,
      response: CreateAppResponse,
    },
    getApp: {
      path: "befriend.v1.AppService/GetApp",
      repeatable: true,
      request: GetAppRequest,
      response: GetAppResponse,
    },
    listApps: {
      path: "befriend.v1.AppService/ListApps",
      repeatable: true,
      pages: { name: "iterateApps", entries: "apps" },
      request: ListAppsRequest,
      response: ListAppsResponse,
    },
    updateApp: {
      path: "befriend.v1.AppService/UpdateApp",
      repeatable: true,
      request: UpdateAppRequest,
      response: UpdateAppResponse,
    },
    rotateClientSecret: {
      path: "befriend.v1.AppService/RotateClientSecret",
      repeatable: false,
      request: RotateClientSecretRequest,
      response: RotateClientSecretResponse,
    },
    setCredentials: {
      path: "befriend.v1.AppService/SetCredentials",
      repeatable: true,
      request: SetCredentialsRequest,
      response: SetCredentialsResponse,
    },
    deleteApp: {
      path: "befriend.v1.AppService/DeleteApp",
      repeatable: false,
      request: DeleteAppRequest,
      response: DeleteAppResponse,
    },
  },
  audit: {
    listAuditEvents: {
      path: "befriend.v1.AuditService/ListAuditEvents",
      repeatable: true,
      pages: { name: "iterateAuditEvents", entries: "auditEvents" },
      request: ListAuditEventsRequest,
      response: ListAuditEventsResponse,
    },
  },
  blocks: {
    blockUsers: {
      path: "befriend.v1.BlockService/BlockUsers",
      repeatable: true,
      request: BlockUsersRequest,
      response: BlockUsersResponse,
    },
    unblockUser: {
      path: "befriend.v1.BlockService/UnblockUser",
      repeatable: true,
      request: UnblockUserRequest,
      response: UnblockUserResponse,
    },
    listBlockedUsers: {
      path: "befriend.v1.BlockService/ListBlockedUsers",
      repeatable: true,
      pages: { name: "iterateBlockedUsers", entries: "usernames" },
      request: ListBlockedUsersRequest,
      response: ListBlockedUsersResponse,
    },
    listAllBlockedUsers: {
      path: "befriend.v1.BlockService/ListAllBlockedUsers",
      repeatable: true,
      request: ListAllBlockedUsersRequest,
      response: ListAllBlockedUsersResponse,
    },
    syncBlocks: {
      path: "befriend.v1.BlockService/SyncBlocks",
      repeatable: true,
      pages: { name: "iterateSyncBlocks" },
      request: SyncBlocksRequest,
      response: SyncBlocksResponse,
    },
    watchBlocks: {
      path: "befriend.v1.BlockService/WatchBlocks",
      repeatable: true,
      streams: true,
      request: WatchBlocksRequest,
      response: WatchBlocksResponse,
    },
  },
  callbackRules: {
    createCallbackRule: {
      path: "befriend.v1.CallbackRuleService/CreateCallbackRule",
      repeatable: false,
      request: CreateCallbackRuleRequest,
      response: CreateCallbackRuleResponse,
    },
    getCallbackRule: {
      path: "befriend.v1.CallbackRuleService/GetCallbackRule",
      repeatable: true,
      request: GetCallbackRuleRequest,
      response: GetCallbackRuleResponse,
    },
    listCallbackRules: {
      path: "befriend.v1.CallbackRuleService/ListCallbackRules",
      repeatable: true,
      request: ListCallbackRulesRequest,
      response: ListCallbackRulesResponse,
    },
    updateCallbackRule: {
      path: "befriend.v1.CallbackRuleService/UpdateCallbackRule",
      repeatable: true,
      request: UpdateCallbackRuleRequest,
      response: UpdateCallbackRuleResponse,
    },
    deleteCallbackRule: {
      path: "befriend.v1.CallbackRuleService/DeleteCallbackRule",
      repeatable: false,
      request: DeleteCallbackRuleRequest,
      response: DeleteCallbackRuleResponse,
    },
    rotateSigningSecret: {
      path: "befriend.v1.CallbackRuleService/RotateSigningSecret",
      repeatable: false,
      request: RotateSigningSecretRequest,
      response: RotateSigningSecretResponse,
    },
    testCallbackRule: {
      path: "befriend.v1.CallbackRuleService/TestCallbackRule",
      repeatable: false,
      request: TestCallbackRuleRequest,
      response: TestCallbackRuleResponse,
    },
  },
  events: {
    listEvents: {
      path: "befriend.v1.EventService/ListEvents",
      repeatable: true,
      pages: { name: "iterateEvents", entries: "events" },
      request: ListEventsRequest,
      response: ListEventsResponse,
    },
    getEvent: {
      path: "befriend.v1.EventService/GetEvent",
      repeatable: true,
      request: GetEventRequest,
      response: GetEventResponse,
    },
    retryEvent: {
      path: "befriend.v1.EventService/RetryEvent",
      repeatable: false,
      request: RetryEventRequest,
      response: RetryEventResponse,
    },
    retryFailedEvents: {
      path: "befriend.v1.EventService/RetryFailedEvents",
      repeatable: false,
      request: RetryFailedEventsRequest,
      response: RetryFailedEventsResponse,
    },
  },
  friends: {
    addFriend: {
      path: "befriend.v1.FriendService/AddFriend",
      repeatable: true,
      request: AddFriendRequest,
      response: AddFriendResponse,
    },
    removeFriend: {
      path: "befriend.v1.FriendService/RemoveFriend",
      repeatable: true,
      request: RemoveFriendRequest,
      response: RemoveFriendResponse,
    },
    removeAllFriends: {
      path: "befriend.v1.FriendService/RemoveAllFriends",
      repeatable: true,
      request: RemoveAllFriendsRequest,
      response: RemoveAllFriendsResponse,
    },
    setRemark: {
      path: "befriend.v1.FriendService/SetRemark",
      repeatable: true,
      request: SetRemarkRequest,
      response: SetRemarkResponse,
    },
    getFriend: {
      path: "befriend.v1.FriendService/GetFriend",
      repeatable: true,
      request: GetFriendRequest,
      response: GetFriendResponse,
    },
    listFriends: {
      path: "befriend.v1.FriendService/ListFriends",
      repeatable: true,
      pages: { name: "iterateFriends", entries: "entries" },
      request: ListFriendsRequest,
      response: ListFriendsResponse,
    },
    listAllFriends: {
      path: "befriend.v1.FriendService/ListAllFriends",
      repeatable: true,
      request: ListAllFriendsRequest,
      response: ListAllFriendsResponse,
    },
    importFriends: {
      path: "befriend.v1.FriendService/ImportFriends",
      repeatable: true,
      request: ImportFriendsRequest,
      response: ImportFriendsResponse,
    },
    updateFriend: {
      path: "befriend.v1.FriendService/UpdateFriend",
      repeatable: true,
      request: UpdateFriendRequest,
      response: UpdateFriendResponse,
    },
    syncFriends: {
      path: "befriend.v1.FriendService/SyncFriends",
      repeatable: true,
      pages: { name: "iterateSyncFriends" },
      request: SyncFriendsRequest,
      response: SyncFriendsResponse,
    },
    watchFriends: {
      path: "befriend.v1.FriendService/WatchFriends",
      repeatable: true,
      streams: true,
      request: WatchFriendsRequest,
      response: WatchFriendsResponse,
    },
    sendFriendRequest: {
      path: "befriend.v1.FriendService/SendFriendRequest",
      repeatable: false,
      request: SendFriendRequestRequest,
      response: SendFriendRequestResponse,
    },
    acceptFriendRequest: {
      path: "befriend.v1.FriendService/AcceptFriendRequest",
      repeatable: true,
      request: AcceptFriendRequestRequest,
      response: AcceptFriendRequestResponse,
    },
    rejectFriendRequest: {
      path: "befriend.v1.FriendService/RejectFriendRequest",
      repeatable: true,
      request: RejectFriendRequestRequest,
      response: RejectFriendRequestResponse,
    },
    cancelFriendRequest: {
      path: "befriend.v1.FriendService/CancelFriendRequest",
      repeatable: true,
      request: CancelFriendRequestRequest,
      response: CancelFriendRequestResponse,
    },
    listFriendRequests: {
      path: "befriend.v1.FriendService/ListFriendRequests",
      repeatable: true,
      pages: { name: "iterateFriendRequests", entries: "friendRequests" },
      request: ListFriendRequestsRequest,
      response: ListFriendRequestsResponse,
    },
    listMutualFriends: {
      path: "befriend.v1.FriendService/ListMutualFriends",
      repeatable: true,
      pages: { name: "iterateMutualFriends", entries: "usernames" },
      request: ListMutualFriendsRequest,
      response: ListMutualFriendsResponse,
    },
  },
  operatorTokens: {
    createOperatorToken: {
      path: "befriend.v1.OperatorTokenService/CreateOperatorToken",
      repeatable: false,
      request: CreateOperatorTokenRequest,
      response: CreateOperatorTokenResponse,
    },
    listOperatorTokens: {
      path: "befriend.v1.OperatorTokenService/ListOperatorTokens",
      repeatable: true,
      pages: { name: "iterateOperatorTokens", entries: "operatorTokens" },
      request: ListOperatorTokensRequest,
      response: ListOperatorTokensResponse,
    },
    revokeOperatorToken: {
      path: "befriend.v1.OperatorTokenService/RevokeOperatorToken",
      repeatable: false,
      request: RevokeOperatorTokenRequest,
      response: RevokeOperatorTokenResponse,
    },
  },
  relations: {
    checkRelations: {
      path: "befriend.v1.RelationService/CheckRelations",
      repeatable: true,
      request: CheckRelationsRequest,
      response: CheckRelationsResponse,
    },
  },
  tokens: {
    issueToken: {
      path: "befriend.v1.TokenService/IssueToken",
      repeatable: false,
      request: IssueTokenRequest,
      response: IssueTokenResponse,
    },
    revokeToken: {
      path: "befriend.v1.TokenService/RevokeToken",
      repeatable: false,
      request: RevokeTokenRequest,
      response: RevokeTokenResponse,
    },
  },
  users: {
    createUser: {
      path: "befriend.v1.UserService/CreateUser",
      repeatable: false,
      request: CreateUserRequest,
      response: CreateUserResponse,
    },
    batchCreateUsers: {
      path: "befriend.v1.UserService/BatchCreateUsers",
      repeatable: false,
      request: BatchCreateUsersRequest,
      response: BatchCreateUsersResponse,
    },
    getUser: {
      path: "befriend.v1.UserService/GetUser",
      repeatable: true,
      request: GetUserRequest,
      response: GetUserResponse,
    },
    listUsers: {
      path: "befriend.v1.UserService/ListUsers",
      repeatable: true,
      pages: { name: "iterateUsers", entries: "users" },
      request: ListUsersRequest,
      response: ListUsersResponse,
    },
    updateUser: {
      path: "befriend.v1.UserService/UpdateUser",
      repeatable: true,
      request: UpdateUserRequest,
      response: UpdateUserResponse,
    },
    activateUser: {
      path: "befriend.v1.UserService/ActivateUser",
      repeatable: true,
      request: ActivateUserRequest,
      response: ActivateUserResponse,
    },
    deactivateUser: {
      path: "befriend.v1.UserService/DeactivateUser",
      repeatable: true,
      request: DeactivateUserRequest,
      response: DeactivateUserResponse,
    },
    deleteUser: {
      path: "befriend.v1.UserService/DeleteUser",
      repeatable: false,
      request: DeleteUserRequest,
      response: DeleteUserResponse,
    },
  },
} as const;
