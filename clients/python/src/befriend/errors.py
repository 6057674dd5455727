"""The errors of calls: a class for each reason, below the class of its code.

Written by clients/generate.py: change that, or the protos.
"""

from __future__ import annotations

from ._error import BefriendError


class Aborted(BefriendError):
    """A call that failed with ABORTED.
    """


class AlreadyExists(BefriendError):
    """A call that failed with ALREADY_EXISTS.
    """


class DeadlineExceeded(BefriendError):
    """The client's deadline has passed, or the service's own longest time for a call. The change may
    have happened: before a call is retried that is not IDEMPOTENT, look whether it has. Code
    DEADLINE_EXCEEDED.

    Example: {"reason": "DEADLINE_EXCEEDED", "domain": "befriend.v1", "metadata": {}}
    """


class FailedPrecondition(BefriendError):
    """A call that failed with FAILED_PRECONDITION.
    """


class Internal(BefriendError):
    """Something unforeseen went wrong. Only the service's log says what: look there for the
    x-request-id of the response. Code INTERNAL.

    Example: {"reason": "INTERNAL", "domain": "befriend.v1", "metadata": {}}
    """


class InvalidArgument(BefriendError):
    """Another field is wrong, or the message can't be read: then the field is "message". BadRequest
    names the field and says why. Code INVALID_ARGUMENT.

    Example: {"reason": "INVALID_ARGUMENT", "domain": "befriend.v1", "metadata": {"field": "nickname"}}
    """


class NotFound(BefriendError):
    """A call that failed with NOT_FOUND.
    """


class PermissionDenied(BefriendError):
    """A call that failed with PERMISSION_DENIED.
    """


class ResourceExhausted(BefriendError):
    """A call that failed with RESOURCE_EXHAUSTED.
    """


class Unauthenticated(BefriendError):
    """The token is missing, malformed, unknown, expired or revoked. Code UNAUTHENTICATED.

    Example: {"reason": "UNAUTHENTICATED", "domain": "befriend.v1", "metadata": {}}
    """


class Unavailable(BefriendError):
    """The database can't be reached or its connections are all busy, or the instance has too many
    calls or watchers, or is shutting down. Retry after the time in RetryInfo. In rare cases, when
    the connection broke during a commit, the change has happened: before a call is retried that is
    not IDEMPOTENT, look whether it has. Code UNAVAILABLE.

    Example: {"reason": "UNAVAILABLE", "domain": "befriend.v1", "metadata": {}}
    """


class TokenScope(PermissionDenied):
    """The token is valid, but not for this call: an app token where an operator token is needed, or
    the other way round. Code PERMISSION_DENIED.

    Example: {"reason": "TOKEN_SCOPE", "domain": "befriend.v1", "metadata": {"required": "operator"}}
    """


class InvalidCredentials(Unauthenticated):
    """The client_id or the client_secret is wrong. The error does not tell which. Code
    UNAUTHENTICATED.

    Example: {"reason": "INVALID_CREDENTIALS", "domain": "befriend.v1", "metadata": {}}
    """


class AppNotFound(NotFound):
    """There is no such app. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "APP_NOT_FOUND", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat"}}
    """


class AppAlreadyExists(AlreadyExists):
    """An app of this key exists already. Code ALREADY_EXISTS, with ResourceInfo.

    Example: {"reason": "APP_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat"}}
    """


class UserNotFound(NotFound):
    """A user whom the call names does not exist in this app. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "USER_NOT_FOUND", "domain": "befriend.v1", "metadata": {"username": "bob"}}
    """


class UserAlreadyExists(AlreadyExists):
    """A user of this name exists already. Code ALREADY_EXISTS, with ResourceInfo.

    Example: {"reason": "USER_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"username": "bob"}}
    """


class NotFriends(FailedPrecondition):
    """The two users are not friends. Code FAILED_PRECONDITION, with PreconditionFailure.

    Example: {"reason": "NOT_FRIENDS", "domain": "befriend.v1", "metadata": {"owner": "alice", "friend": "bob"}}
    """


class FriendLimitExceeded(ResourceExhausted):
    """A friend list is full, that of the owner or of the friend. Nothing was added. Code
    RESOURCE_EXHAUSTED, with a QuotaFailure that names the user and the limit. A retry does not
    help.

    Example: {"reason": "FRIEND_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "bob", "limit": "3000"}}
    """


class BlockLimitExceeded(ResourceExhausted):
    """The owner's block list has no room for all users of the call. Nobody was blocked. Code
    RESOURCE_EXHAUSTED, with QuotaFailure. A retry does not help.

    Example: {"reason": "BLOCK_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "alice", "limit": "500"}}
    """


class RateLimited(ResourceExhausted):
    """The app has made too many calls of this operation within a second, or too many logins have
    failed; then metadata is empty. Code RESOURCE_EXHAUSTED, with RetryInfo: wait that long, then
    retry.

    Example: {"reason": "RATE_LIMITED", "domain": "befriend.v1", "metadata": {"operation": "FriendService/AddFriend", "limit_per_second": "100"}}
    """


class SelfRelation(InvalidArgument):
    """The call names the same user twice: no user can be their own friend, or block themselves. Code
    INVALID_ARGUMENT, with BadRequest.

    Example: {"reason": "SELF_RELATION", "domain": "befriend.v1", "metadata": {"username": "alice"}}
    """


class InvalidUsername(InvalidArgument):
    """A username is not 1-64 bytes of a-z 0-9 _ . - @ in any case. Code INVALID_ARGUMENT, with
    BadRequest.

    Example: {"reason": "INVALID_USERNAME", "domain": "befriend.v1", "metadata": {"field": "usernames[2]"}}
    """


class InvalidRemark(InvalidArgument):
    """A remark is longer than 100 characters, or contains NUL. Code INVALID_ARGUMENT, with
    BadRequest.

    Example: {"reason": "INVALID_REMARK", "domain": "befriend.v1", "metadata": {"field": "remark"}}
    """


class InvalidExtension(InvalidArgument):
    """An extension is longer than 256 characters, or contains NUL. Code INVALID_ARGUMENT, with
    BadRequest.

    Example: {"reason": "INVALID_EXTENSION", "domain": "befriend.v1", "metadata": {"field": "server_extension"}}
    """


class InvalidPageToken(InvalidArgument):
    """A page token is damaged, comes from an older version of befriend, or was issued for another
    app, call, owner or filter. Start again from the first page. Code INVALID_ARGUMENT, with
    BadRequest.

    Example: {"reason": "INVALID_PAGE_TOKEN", "domain": "befriend.v1", "metadata": {"field": "page_token"}}
    """


class PageSizeOutOfRange(InvalidArgument):
    """A page size is negative or above the maximum. Code INVALID_ARGUMENT, with BadRequest.

    Example: {"reason": "PAGE_SIZE_OUT_OF_RANGE", "domain": "befriend.v1", "metadata": {"field": "page_size", "max": "50"}}
    """


class BatchTooLarge(InvalidArgument):
    """A list in the request is longer than the maximum. (An empty list is INVALID_ARGUMENT.) Code
    INVALID_ARGUMENT, with BadRequest.

    Example: {"reason": "BATCH_TOO_LARGE", "domain": "befriend.v1", "metadata": {"field": "usernames", "max": "10"}}
    """


class Conflict(Aborted):
    """The call has collided with other calls, and so have several retries inside the service. Nothing
    was changed. Retry. Code ABORTED.

    Example: {"reason": "CONFLICT", "domain": "befriend.v1", "metadata": {}}
    """


class CallbackRuleNotFound(NotFound):
    """The app has no callback rule of this id. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "CALLBACK_RULE_NOT_FOUND", "domain": "befriend.v1", "metadata": {"rule_id": "5d331a77-4f10-4327-b7a6-7d1f1d22f175"}}
    """


class CallbackRuleLimitExceeded(ResourceExhausted):
    """The app has as many callback rules as it can have. Code RESOURCE_EXHAUSTED, with QuotaFailure.
    A retry does not help.

    Example: {"reason": "CALLBACK_RULE_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"app_key": "acme#chat", "limit": "4"}}
    """


class EventNotFound(NotFound):
    """The app has no event of this id, or no longer. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "EVENT_NOT_FOUND", "domain": "befriend.v1", "metadata": {"event_id": "5d331a774f104327b7a67d1f1d22f175.42.0a1b2c3d4e5f60718293a4b5c6d7e8f9"}}
    """


class AlreadyFriends(FailedPrecondition):
    """The two users are friends already, so no friend request can be sent. Code FAILED_PRECONDITION,
    with PreconditionFailure.

    Example: {"reason": "ALREADY_FRIENDS", "domain": "befriend.v1", "metadata": {"requester": "alice", "recipient": "bob"}}
    """


class Blocked(FailedPrecondition):
    """One of the two users blocks the other. Code FAILED_PRECONDITION, with PreconditionFailure.

    Example: {"reason": "BLOCKED", "domain": "befriend.v1", "metadata": {"blocker": "bob", "blocked": "alice"}}
    """


class FriendRequestNotFound(NotFound):
    """There is no pending friend request from the requester to the recipient: none was sent, or it
    was answered in another way, was cancelled, or has expired. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "FRIEND_REQUEST_NOT_FOUND", "domain": "befriend.v1", "metadata": {"requester": "alice", "recipient": "bob"}}
    """


class FriendRequestLimitExceeded(ResourceExhausted):
    """The requester has sent, or the recipient has received, as many pending friend requests as a
    user can have. Code RESOURCE_EXHAUSTED, with a QuotaFailure that names the user and the limit.

    Example: {"reason": "FRIEND_REQUEST_LIMIT_EXCEEDED", "domain": "befriend.v1", "metadata": {"username": "bob", "limit": "500"}}
    """


class VersionAhead(InvalidArgument):
    """since_version is above the version of the list: it belongs to another list, or is from before
    the database was restored from a backup. Start again from 0. metadata has the version of the
    list. Code INVALID_ARGUMENT, with BadRequest.

    Example: {"reason": "VERSION_AHEAD", "domain": "befriend.v1", "metadata": {"field": "since_version", "version": "42"}}
    """


class WatcherTooSlow(Aborted):
    """The client did not read the stream for too long. Watch again from the last next_version that
    was read. Code ABORTED.

    Example: {"reason": "WATCHER_TOO_SLOW", "domain": "befriend.v1", "metadata": {}}
    """


class OperatorRole(PermissionDenied):
    """The operator token is valid, but its role does not allow this call. metadata has the role that
    is required and that of the token. Code PERMISSION_DENIED.

    Example: {"reason": "OPERATOR_ROLE", "domain": "befriend.v1", "metadata": {"required": "admin", "role": "read-only"}}
    """


class OperatorTokenNotFound(NotFound):
    """There is no operator token of this name. Code NOT_FOUND, with ResourceInfo.

    Example: {"reason": "OPERATOR_TOKEN_NOT_FOUND", "domain": "befriend.v1", "metadata": {"name": "alice"}}
    """


class OperatorTokenAlreadyExists(AlreadyExists):
    """An operator token of this name exists already. Code ALREADY_EXISTS, with ResourceInfo.

    Example: {"reason": "OPERATOR_TOKEN_ALREADY_EXISTS", "domain": "befriend.v1", "metadata": {"name": "alice"}}
    """


#: The class of each reason.
BY_REASON: dict[str, type[BefriendError]] = {
    "UNAUTHENTICATED": Unauthenticated,
    "TOKEN_SCOPE": TokenScope,
    "INVALID_CREDENTIALS": InvalidCredentials,
    "APP_NOT_FOUND": AppNotFound,
    "APP_ALREADY_EXISTS": AppAlreadyExists,
    "USER_NOT_FOUND": UserNotFound,
    "USER_ALREADY_EXISTS": UserAlreadyExists,
    "NOT_FRIENDS": NotFriends,
    "FRIEND_LIMIT_EXCEEDED": FriendLimitExceeded,
    "BLOCK_LIMIT_EXCEEDED": BlockLimitExceeded,
    "RATE_LIMITED": RateLimited,
    "SELF_RELATION": SelfRelation,
    "INVALID_USERNAME": InvalidUsername,
    "INVALID_REMARK": InvalidRemark,
    "INVALID_EXTENSION": InvalidExtension,
    "INVALID_PAGE_TOKEN": InvalidPageToken,
    "PAGE_SIZE_OUT_OF_RANGE": PageSizeOutOfRange,
    "BATCH_TOO_LARGE": BatchTooLarge,
    "INVALID_ARGUMENT": InvalidArgument,
    "UNAVAILABLE": Unavailable,
    "CONFLICT": Conflict,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "INTERNAL": Internal,
    "CALLBACK_RULE_NOT_FOUND": CallbackRuleNotFound,
    "CALLBACK_RULE_LIMIT_EXCEEDED": CallbackRuleLimitExceeded,
    "EVENT_NOT_FOUND": EventNotFound,
    "ALREADY_FRIENDS": AlreadyFriends,
    "BLOCKED": Blocked,
    "FRIEND_REQUEST_NOT_FOUND": FriendRequestNotFound,
    "FRIEND_REQUEST_LIMIT_EXCEEDED": FriendRequestLimitExceeded,
    "VERSION_AHEAD": VersionAhead,
    "WATCHER_TOO_SLOW": WatcherTooSlow,
    "OPERATOR_ROLE": OperatorRole,
    "OPERATOR_TOKEN_NOT_FOUND": OperatorTokenNotFound,
    "OPERATOR_TOKEN_ALREADY_EXISTS": OperatorTokenAlreadyExists,
}

#: The class of each code: for reasons that this version does not know.
BY_CODE: dict[str, type[BefriendError]] = {
    "ABORTED": Aborted,
    "ALREADY_EXISTS": AlreadyExists,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "FAILED_PRECONDITION": FailedPrecondition,
    "INTERNAL": Internal,
    "INVALID_ARGUMENT": InvalidArgument,
    "NOT_FOUND": NotFound,
    "PERMISSION_DENIED": PermissionDenied,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNAUTHENTICATED": Unauthenticated,
    "UNAVAILABLE": Unavailable,
}
