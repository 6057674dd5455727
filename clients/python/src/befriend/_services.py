"""The services, for calls that block.

Written by clients/generate.py: change that, or the protos.
"""

from __future__ import annotations

import datetime
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from ._sync import Caller
from ._method import Method
from .v1 import (
    app_service_pb2,
    audit_service_pb2,
    block_service_pb2,
    callback_rule_service_pb2,
    event_service_pb2,
    friend_service_pb2,
    operator_token_service_pb2,
    relation_service_pb2,
    token_service_pb2,
    user_service_pb2,
)


class AppService:
    """Apps, which are the tenants: each has users, limits and credentials of its own. For operators
    only, whose token every call needs, as metadata "authorization: Bearer <token>". Every operator
    may read; changes need the role ADMIN.

    An app key is "org#app", each part 1-64 characters of A-Z a-z 0-9 _ -. Case matters. New limits
    and credentials are in force at once on the instance that was called, and within a few seconds on
    others.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong
    tokens), INVALID_ARGUMENT (app_key, or the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED
    and INTERNAL, every call but CreateApp and ListApps with APP_NOT_FOUND, and every change with
    OPERATOR_ROLE and CONFLICT. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_app(
        self,
        *,
        app_key: str = "",
        limits: app_service_pb2.AppLimits | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> app_service_pb2.CreateAppResponse:
        """Creates an app and generates its client_id and client_secret.

        Errors: APP_ALREADY_EXISTS, INVALID_ARGUMENT (limits).
        """
        request = app_service_pb2.CreateAppRequest(
            app_key=app_key,
            limits=limits,
        )
        method = Method("/befriend.v1.AppService/CreateApp", app_service_pb2.CreateAppRequest, app_service_pb2.CreateAppResponse)
        return self._caller.call(method, request, timeout)

    def get_app(
        self,
        *,
        app_key: str = "",
        timeout: float | None = None,
    ) -> app_service_pb2.GetAppResponse:
        """Returns an app.
        """
        request = app_service_pb2.GetAppRequest(
            app_key=app_key,
        )
        method = Method("/befriend.v1.AppService/GetApp", app_service_pb2.GetAppRequest, app_service_pb2.GetAppResponse)
        return self._caller.call(method, request, timeout)

    def list_apps(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> app_service_pb2.ListAppsResponse:
        """Returns a page of all apps, in the order of their keys.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = app_service_pb2.ListAppsRequest(
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.AppService/ListApps", app_service_pb2.ListAppsRequest, app_service_pb2.ListAppsResponse)
        return self._caller.call(method, request, timeout)

    def iter_apps(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[app_service_pb2.App]:
        """All entries that `list_apps` has, page by page.
        """
        request = app_service_pb2.ListAppsRequest(
            page_size=page_size,
        )
        method = Method("/befriend.v1.AppService/ListApps", app_service_pb2.ListAppsRequest, app_service_pb2.ListAppsResponse)
        return self._caller.pages(method, request, timeout, "apps")

    def update_app(
        self,
        *,
        app_key: str = "",
        limits: app_service_pb2.AppLimits | Mapping[str, Any] | None = None,
        update_mask: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> app_service_pb2.UpdateAppResponse:
        """Changes an app's limits. A lower friend or block limit removes nothing from longer lists; it
        only refuses further entries.

        Errors: INVALID_ARGUMENT (limits, update_mask).
        """
        request = app_service_pb2.UpdateAppRequest(
            app_key=app_key,
            limits=limits,
            update_mask=None if update_mask is None else FieldMask(paths=update_mask),
        )
        method = Method("/befriend.v1.AppService/UpdateApp", app_service_pb2.UpdateAppRequest, app_service_pb2.UpdateAppResponse)
        return self._caller.call(method, request, timeout)

    def rotate_client_secret(
        self,
        *,
        app_key: str = "",
        revoke_tokens: bool = False,
        timeout: float | None = None,
    ) -> app_service_pb2.RotateClientSecretResponse:
        """Generates another client_secret for an app. The old one is refused from then on. Each call
        generates another one.
        """
        request = app_service_pb2.RotateClientSecretRequest(
            app_key=app_key,
            revoke_tokens=revoke_tokens,
        )
        method = Method("/befriend.v1.AppService/RotateClientSecret", app_service_pb2.RotateClientSecretRequest, app_service_pb2.RotateClientSecretResponse)
        return self._caller.call(method, request, timeout)

    def set_credentials(
        self,
        *,
        app_key: str = "",
        client_id: str = "",
        client_secret: str = "",
        netease_app_key: str = "",
        netease_app_secret: str = "",
        remove_netease_credentials: bool = False,
        timeout: float | None = None,
    ) -> app_service_pb2.SetCredentialsResponse:
        """Gives an app credentials that it has already with another service, so that its clients can keep
        them: Easemob's client_id and client_secret, NetEase's AppKey and AppSecret. The old ones are
        refused from then on. Tokens stay valid.

        Errors: INVALID_ARGUMENT (half a pair, no credentials, credentials that another app has, or an
        AppSecret while the service has no key to encrypt it).
        """
        request = app_service_pb2.SetCredentialsRequest(
            app_key=app_key,
            client_id=client_id,
            client_secret=client_secret,
            netease_app_key=netease_app_key,
            netease_app_secret=netease_app_secret,
            remove_netease_credentials=remove_netease_credentials,
        )
        method = Method("/befriend.v1.AppService/SetCredentials", app_service_pb2.SetCredentialsRequest, app_service_pb2.SetCredentialsResponse)
        return self._caller.call(method, request, timeout)

    def delete_app(
        self,
        *,
        app_key: str = "",
        timeout: float | None = None,
    ) -> app_service_pb2.DeleteAppResponse:
        """Deletes an app with all its users, lists, rules and events. Its tokens are refused from then
        on, and its key can be used again. The rows are removed in the background. A second call fails
        with APP_NOT_FOUND.
        """
        request = app_service_pb2.DeleteAppRequest(
            app_key=app_key,
        )
        method = Method("/befriend.v1.AppService/DeleteApp", app_service_pb2.DeleteAppRequest, app_service_pb2.DeleteAppResponse)
        return self._caller.call(method, request, timeout)


class AuditService:
    """The audit: who changed what, when and from where. For operators of every role, whose token every
    call needs, as metadata "authorization: Bearer <token>".

    A record is written in the transaction of its change, and is never changed. It is kept for a time
    that the operator sets, 365 days by default.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list_audit_events(
        self,
        *,
        start_time: datetime.datetime | Timestamp | None = None,
        end_time: datetime.datetime | Timestamp | None = None,
        actor_kind: int | str | None = None,
        actor_name: str = "",
        action: str = "",
        app_key: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> audit_service_pb2.ListAuditEventsResponse:
        """Returns a page of records, the newest first.

        Errors: UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong tokens),
        PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT (any filter, or the message can't
        be read), UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
        """
        request = audit_service_pb2.ListAuditEventsRequest(
            start_time=start_time,
            end_time=end_time,
            actor_kind=actor_kind,  # type: ignore[arg-type]
            actor_name=actor_name,
            action=action,
            app_key=app_key,
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.AuditService/ListAuditEvents", audit_service_pb2.ListAuditEventsRequest, audit_service_pb2.ListAuditEventsResponse)
        return self._caller.call(method, request, timeout)

    def iter_audit_events(
        self,
        *,
        start_time: datetime.datetime | Timestamp | None = None,
        end_time: datetime.datetime | Timestamp | None = None,
        actor_kind: int | str | None = None,
        actor_name: str = "",
        action: str = "",
        app_key: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[audit_service_pb2.AuditEvent]:
        """All entries that `list_audit_events` has, page by page.
        """
        request = audit_service_pb2.ListAuditEventsRequest(
            start_time=start_time,
            end_time=end_time,
            actor_kind=actor_kind,  # type: ignore[arg-type]
            actor_name=actor_name,
            action=action,
            app_key=app_key,
            page_size=page_size,
        )
        method = Method("/befriend.v1.AuditService/ListAuditEvents", audit_service_pb2.ListAuditEventsRequest, audit_service_pb2.ListAuditEventsResponse)
        return self._caller.pages(method, request, timeout, "audit_events")


class UserService:
    """The users of an app. The app is the app of the caller's token.

    A username is 1-64 bytes of a-z 0-9 _ . - @. Usernames may be given in any case; they are stored
    and returned in lower case. The bounds of lists and pages are the defaults: the operator can set
    others.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_ARGUMENT (the
    message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, every call that names a user
    with INVALID_USERNAME, and every change with CONFLICT. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_user(
        self,
        *,
        user: user_service_pb2.NewUser | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> user_service_pb2.CreateUserResponse:
        """Creates a user, who is active and has empty lists. If a deleted user of the same name is still
        being removed from lists, the call finishes that first.

        Errors: USER_ALREADY_EXISTS, INVALID_ARGUMENT (nickname).
        """
        request = user_service_pb2.CreateUserRequest(
            user=user,
        )
        method = Method("/befriend.v1.UserService/CreateUser", user_service_pb2.CreateUserRequest, user_service_pb2.CreateUserResponse)
        return self._caller.call(method, request, timeout)

    def batch_create_users(
        self,
        *,
        users: Iterable[user_service_pb2.NewUser | Mapping[str, Any]] = (),
        timeout: float | None = None,
    ) -> user_service_pb2.BatchCreateUsersResponse:
        """Creates 1-60 users, all of them or none.

        Errors: USER_ALREADY_EXISTS (also for a name that is given twice), INVALID_ARGUMENT (nickname,
        no users), BATCH_TOO_LARGE.
        """
        request = user_service_pb2.BatchCreateUsersRequest(
            users=users,
        )
        method = Method("/befriend.v1.UserService/BatchCreateUsers", user_service_pb2.BatchCreateUsersRequest, user_service_pb2.BatchCreateUsersResponse)
        return self._caller.call(method, request, timeout)

    def get_user(
        self,
        *,
        username: str = "",
        timeout: float | None = None,
    ) -> user_service_pb2.GetUserResponse:
        """Returns a user, with the counts and the version of the user's lists.

        Errors: USER_NOT_FOUND.
        """
        request = user_service_pb2.GetUserRequest(
            username=username,
        )
        method = Method("/befriend.v1.UserService/GetUser", user_service_pb2.GetUserRequest, user_service_pb2.GetUserResponse)
        return self._caller.call(method, request, timeout)

    def list_users(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> user_service_pb2.ListUsersResponse:
        """Returns a page of the app's users, in username order.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = user_service_pb2.ListUsersRequest(
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.UserService/ListUsers", user_service_pb2.ListUsersRequest, user_service_pb2.ListUsersResponse)
        return self._caller.call(method, request, timeout)

    def iter_users(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[user_service_pb2.User]:
        """All entries that `list_users` has, page by page.
        """
        request = user_service_pb2.ListUsersRequest(
            page_size=page_size,
        )
        method = Method("/befriend.v1.UserService/ListUsers", user_service_pb2.ListUsersRequest, user_service_pb2.ListUsersResponse)
        return self._caller.pages(method, request, timeout, "users")

    def update_user(
        self,
        *,
        username: str = "",
        nickname: str | None = None,
        update_mask: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> user_service_pb2.UpdateUserResponse:
        """Changes fields of a user.

        Errors: USER_NOT_FOUND, INVALID_ARGUMENT (nickname, update_mask).
        """
        request = user_service_pb2.UpdateUserRequest(
            username=username,
            nickname=nickname,
            update_mask=None if update_mask is None else FieldMask(paths=update_mask),
        )
        method = Method("/befriend.v1.UserService/UpdateUser", user_service_pb2.UpdateUserRequest, user_service_pb2.UpdateUserResponse)
        return self._caller.call(method, request, timeout)

    def activate_user(
        self,
        *,
        username: str = "",
        timeout: float | None = None,
    ) -> user_service_pb2.ActivateUserResponse:
        """Marks a user as active. A user who is active stays active.

        Errors: USER_NOT_FOUND.
        """
        request = user_service_pb2.ActivateUserRequest(
            username=username,
        )
        method = Method("/befriend.v1.UserService/ActivateUser", user_service_pb2.ActivateUserRequest, user_service_pb2.ActivateUserResponse)
        return self._caller.call(method, request, timeout)

    def deactivate_user(
        self,
        *,
        username: str = "",
        timeout: float | None = None,
    ) -> user_service_pb2.DeactivateUserResponse:
        """Marks a user as banned. The mark is in the profile only: lists and relations stay as they are,
        and calls about the user succeed.

        Errors: USER_NOT_FOUND.
        """
        request = user_service_pb2.DeactivateUserRequest(
            username=username,
        )
        method = Method("/befriend.v1.UserService/DeactivateUser", user_service_pb2.DeactivateUserRequest, user_service_pb2.DeactivateUserResponse)
        return self._caller.call(method, request, timeout)

    def delete_user(
        self,
        *,
        username: str = "",
        timeout: float | None = None,
    ) -> user_service_pb2.DeleteUserResponse:
        """Deletes a user. No call finds the user from then on. The user is then removed from all friend
        lists, block lists and friend requests, in batches, which may go on after the call.

        Errors: USER_NOT_FOUND, also for a second call.
        """
        request = user_service_pb2.DeleteUserRequest(
            username=username,
        )
        method = Method("/befriend.v1.UserService/DeleteUser", user_service_pb2.DeleteUserRequest, user_service_pb2.DeleteUserResponse)
        return self._caller.call(method, request, timeout)


class BlockService:
    """Block lists. A block is one-way and independent of friendship: a blocked friend stays a friend.

    The app is the app of the caller's token. Usernames may be given in any case; responses have them
    in lower case. The bounds of lists and pages are the defaults: the operator can set others.

    Every change is one transaction: it happens as a whole or not at all.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_USERNAME,
    USER_NOT_FOUND, INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and
    INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def block_users(
        self,
        *,
        owner: str = "",
        usernames: Iterable[str] = (),
        timeout: float | None = None,
    ) -> block_service_pb2.BlockUsersResponse:
        """Adds 1-500 users to the owner's block list, all of them or none. Users who are blocked already
        stay blocked. Pending friend requests from the newly blocked users to the owner are cancelled.

        Errors: BLOCK_LIMIT_EXCEEDED, SELF_RELATION, BATCH_TOO_LARGE, INVALID_ARGUMENT (no names).
        """
        request = block_service_pb2.BlockUsersRequest(
            owner=owner,
            usernames=usernames,
        )
        method = Method("/befriend.v1.BlockService/BlockUsers", block_service_pb2.BlockUsersRequest, block_service_pb2.BlockUsersResponse)
        return self._caller.call(method, request, timeout)

    def unblock_user(
        self,
        *,
        owner: str = "",
        username: str = "",
        timeout: float | None = None,
    ) -> block_service_pb2.UnblockUserResponse:
        """Removes a user from the owner's block list. If the user is not in it, nothing changes.
        """
        request = block_service_pb2.UnblockUserRequest(
            owner=owner,
            username=username,
        )
        method = Method("/befriend.v1.BlockService/UnblockUser", block_service_pb2.UnblockUserRequest, block_service_pb2.UnblockUserResponse)
        return self._caller.call(method, request, timeout)

    def list_blocked_users(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> block_service_pb2.ListBlockedUsersResponse:
        """Returns a page of a block list, the newest first.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = block_service_pb2.ListBlockedUsersRequest(
            owner=owner,
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.BlockService/ListBlockedUsers", block_service_pb2.ListBlockedUsersRequest, block_service_pb2.ListBlockedUsersResponse)
        return self._caller.call(method, request, timeout)

    def iter_blocked_users(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[str]:
        """All entries that `list_blocked_users` has, page by page.
        """
        request = block_service_pb2.ListBlockedUsersRequest(
            owner=owner,
            page_size=page_size,
        )
        method = Method("/befriend.v1.BlockService/ListBlockedUsers", block_service_pb2.ListBlockedUsersRequest, block_service_pb2.ListBlockedUsersResponse)
        return self._caller.pages(method, request, timeout, "usernames")

    def list_all_blocked_users(
        self,
        *,
        owner: str = "",
        timeout: float | None = None,
    ) -> block_service_pb2.ListAllBlockedUsersResponse:
        """Returns the newest 500 blocked users, and how many there are.
        """
        request = block_service_pb2.ListAllBlockedUsersRequest(
            owner=owner,
        )
        method = Method("/befriend.v1.BlockService/ListAllBlockedUsers", block_service_pb2.ListAllBlockedUsersRequest, block_service_pb2.ListAllBlockedUsersResponse)
        return self._caller.call(method, request, timeout)

    def sync_blocks(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> block_service_pb2.SyncBlocksResponse:
        """Returns what has changed in a block list since a version, removals included. A client that
        applies all pages has exactly the list as of the last page's next_version.

        Errors: VERSION_AHEAD, PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT
        (since_version).
        """
        request = block_service_pb2.SyncBlocksRequest(
            owner=owner,
            since_version=since_version,
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.BlockService/SyncBlocks", block_service_pb2.SyncBlocksRequest, block_service_pb2.SyncBlocksResponse)
        return self._caller.call(method, request, timeout)

    def iter_sync_blocks(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[block_service_pb2.SyncBlocksResponse]:
        """All pages of `sync_blocks`; the last one has the version to go on from.

        After VERSION_AHEAD they begin again from 0, with `full_resync`: discard the copy.
        """
        request = block_service_pb2.SyncBlocksRequest(
            owner=owner,
            since_version=since_version,
            page_size=page_size,
        )
        method = Method("/befriend.v1.BlockService/SyncBlocks", block_service_pb2.SyncBlocksRequest, block_service_pb2.SyncBlocksResponse)
        return self._caller.sync(method, request, timeout)

    def watch_blocks(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
    ) -> Generator[block_service_pb2.WatchBlocksResponse, None, None]:
        """Sends what has changed in a block list since a version, and then every change as it happens.
        The stream begins and ends as that of FriendService.WatchFriends.

        Errors: VERSION_AHEAD, INVALID_ARGUMENT (since_version), UNAVAILABLE (also when the instance
        has as many watchers as it can). During the stream: WATCHER_TOO_SLOW (the client does not
        read), USER_NOT_FOUND (the owner was deleted), UNAUTHENTICATED (the token was revoked or has
        expired).

        Goes on by itself from the last version when the stream ends or breaks, for as long as it is read, and ends when the
        client is closed. A message with `full_resync` begins the whole list anew: discard the copy. Raises what waiting
        does not help against, as UserNotFound.
        """
        request = block_service_pb2.WatchBlocksRequest(
            owner=owner,
            since_version=since_version,
        )
        method = Method("/befriend.v1.BlockService/WatchBlocks", block_service_pb2.WatchBlocksRequest, block_service_pb2.WatchBlocksResponse)
        return self._caller.watch(method, request)


class EventService:
    """The app's events, and what became of them. The app is the app of the caller's token. An operator
    names it in app_key.

    An event exists once for each callback rule that wants it. Delivered and failed events are kept
    for a time that the operator sets, 7 days by default. The bounds of pages are the defaults: the
    operator can set others.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_ARGUMENT (the
    message can't be read, or app_key), UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, and every change
    with CONFLICT; for operators also with APP_NOT_FOUND and OPERATOR_ROLE, and not with RATE_LIMITED.
    Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list_events(
        self,
        *,
        rule_id: str = "",
        owner: str = "",
        event_type: str = "",
        state: int | str | None = None,
        start_time: datetime.datetime | Timestamp | None = None,
        end_time: datetime.datetime | Timestamp | None = None,
        page_size: int = 0,
        page_token: str = "",
        app_key: str = "",
        timeout: float | None = None,
    ) -> event_service_pb2.ListEventsResponse:
        """Returns a page of events, the newest first.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_USERNAME, INVALID_ARGUMENT (any
        filter).
        """
        request = event_service_pb2.ListEventsRequest(
            rule_id=rule_id,
            owner=owner,
            event_type=event_type,
            state=state,  # type: ignore[arg-type]
            start_time=start_time,
            end_time=end_time,
            page_size=page_size,
            page_token=page_token,
            app_key=app_key,
        )
        method = Method("/befriend.v1.EventService/ListEvents", event_service_pb2.ListEventsRequest, event_service_pb2.ListEventsResponse)
        return self._caller.call(method, request, timeout)

    def iter_events(
        self,
        *,
        rule_id: str = "",
        owner: str = "",
        event_type: str = "",
        state: int | str | None = None,
        start_time: datetime.datetime | Timestamp | None = None,
        end_time: datetime.datetime | Timestamp | None = None,
        page_size: int = 0,
        app_key: str = "",
        timeout: float | None = None,
    ) -> Iterator[event_service_pb2.Event]:
        """All entries that `list_events` has, page by page.
        """
        request = event_service_pb2.ListEventsRequest(
            rule_id=rule_id,
            owner=owner,
            event_type=event_type,
            state=state,  # type: ignore[arg-type]
            start_time=start_time,
            end_time=end_time,
            page_size=page_size,
            app_key=app_key,
        )
        method = Method("/befriend.v1.EventService/ListEvents", event_service_pb2.ListEventsRequest, event_service_pb2.ListEventsResponse)
        return self._caller.pages(method, request, timeout, "events")

    def get_event(
        self,
        *,
        event_id: str = "",
        app_key: str = "",
        timeout: float | None = None,
    ) -> event_service_pb2.GetEventResponse:
        """Returns an event with the attempts to deliver it.

        Errors: EVENT_NOT_FOUND.
        """
        request = event_service_pb2.GetEventRequest(
            event_id=event_id,
            app_key=app_key,
        )
        method = Method("/befriend.v1.EventService/GetEvent", event_service_pb2.GetEventRequest, event_service_pb2.GetEventResponse)
        return self._caller.call(method, request, timeout)

    def retry_event(
        self,
        *,
        event_id: str = "",
        app_key: str = "",
        timeout: float | None = None,
    ) -> event_service_pb2.RetryEventResponse:
        """Sends an event again, as soon as possible: one that has failed, one that was delivered, or one
        that waits for its next attempt. Its webhook_id stays the same. If the event is delivered
        before a second call, the second call sends it once more. An operator needs the role SUPPORT.

        Errors: EVENT_NOT_FOUND.
        """
        request = event_service_pb2.RetryEventRequest(
            event_id=event_id,
            app_key=app_key,
        )
        method = Method("/befriend.v1.EventService/RetryEvent", event_service_pb2.RetryEventRequest, event_service_pb2.RetryEventResponse)
        return self._caller.call(method, request, timeout)

    def retry_failed_events(
        self,
        *,
        rule_id: str = "",
        start_time: datetime.datetime | Timestamp | None = None,
        end_time: datetime.datetime | Timestamp | None = None,
        app_key: str = "",
        timeout: float | None = None,
    ) -> event_service_pb2.RetryFailedEventsResponse:
        """Sends the failed events of a rule again that happened within a range of time, the oldest first,
        at most 10000 in one call. A second call goes on with the next ones. An operator needs the role
        SUPPORT.

        Errors: CALLBACK_RULE_NOT_FOUND, INVALID_ARGUMENT (rule_id, start_time, end_time).
        """
        request = event_service_pb2.RetryFailedEventsRequest(
            rule_id=rule_id,
            start_time=start_time,
            end_time=end_time,
            app_key=app_key,
        )
        method = Method("/befriend.v1.EventService/RetryFailedEvents", event_service_pb2.RetryFailedEventsRequest, event_service_pb2.RetryFailedEventsResponse)
        return self._caller.call(method, request, timeout)


class CallbackRuleService:
    """Callback rules: where the events of an app are sent, as signed HTTP POSTs. An app can have up to
    4 by default. For operators only, whose token every call needs, as metadata "authorization:
    Bearer <token>". Every operator may read, TestCallbackRule needs the role SUPPORT, and changes
    need the role ADMIN.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED (after too many wrong
    tokens), APP_NOT_FOUND, INVALID_ARGUMENT (app_key, rule_id, or the message can't be read),
    UNAVAILABLE, DEADLINE_EXCEEDED and INTERNAL, every call that names a rule with
    CALLBACK_RULE_NOT_FOUND, and every change with OPERATOR_ROLE and CONFLICT. Further errors are
    listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_callback_rule(
        self,
        *,
        app_key: str = "",
        url: str = "",
        event_types: Iterable[str] = (),
        body_format: int | str | None = None,
        ca_certificates: str = "",
        signing_secret: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.CreateCallbackRuleResponse:
        """Creates a callback rule, enabled. The app's events that happen from then on, and are of the
        rule's types, are sent to its URL. Each call creates another rule.

        Errors: CALLBACK_RULE_LIMIT_EXCEEDED, INVALID_ARGUMENT (any field).
        """
        request = callback_rule_service_pb2.CreateCallbackRuleRequest(
            app_key=app_key,
            url=url,
            event_types=event_types,
            body_format=body_format,  # type: ignore[arg-type]
            ca_certificates=ca_certificates,
            signing_secret=signing_secret,
        )
        method = Method("/befriend.v1.CallbackRuleService/CreateCallbackRule", callback_rule_service_pb2.CreateCallbackRuleRequest, callback_rule_service_pb2.CreateCallbackRuleResponse)
        return self._caller.call(method, request, timeout)

    def get_callback_rule(
        self,
        *,
        app_key: str = "",
        rule_id: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.GetCallbackRuleResponse:
        """Returns a callback rule.
        """
        request = callback_rule_service_pb2.GetCallbackRuleRequest(
            app_key=app_key,
            rule_id=rule_id,
        )
        method = Method("/befriend.v1.CallbackRuleService/GetCallbackRule", callback_rule_service_pb2.GetCallbackRuleRequest, callback_rule_service_pb2.GetCallbackRuleResponse)
        return self._caller.call(method, request, timeout)

    def list_callback_rules(
        self,
        *,
        app_key: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.ListCallbackRulesResponse:
        """Returns all callback rules of an app, the oldest first. They are few enough for one response.
        """
        request = callback_rule_service_pb2.ListCallbackRulesRequest(
            app_key=app_key,
        )
        method = Method("/befriend.v1.CallbackRuleService/ListCallbackRules", callback_rule_service_pb2.ListCallbackRulesRequest, callback_rule_service_pb2.ListCallbackRulesResponse)
        return self._caller.call(method, request, timeout)

    def update_callback_rule(
        self,
        *,
        app_key: str = "",
        rule_id: str = "",
        url: str | None = None,
        event_types: Iterable[str] = (),
        body_format: int | str | None = None,
        enabled: bool | None = None,
        ca_certificates: str | None = None,
        update_mask: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.UpdateCallbackRuleResponse:
        """Changes fields of a callback rule. A disabled rule gets no new events; the events that it has
        wait until it is enabled again.

        Errors: INVALID_ARGUMENT (any field).
        """
        request = callback_rule_service_pb2.UpdateCallbackRuleRequest(
            app_key=app_key,
            rule_id=rule_id,
            url=url,
            event_types=event_types,
            body_format=body_format,  # type: ignore[arg-type]
            enabled=enabled,
            ca_certificates=ca_certificates,
            update_mask=None if update_mask is None else FieldMask(paths=update_mask),
        )
        method = Method("/befriend.v1.CallbackRuleService/UpdateCallbackRule", callback_rule_service_pb2.UpdateCallbackRuleRequest, callback_rule_service_pb2.UpdateCallbackRuleResponse)
        return self._caller.call(method, request, timeout)

    def delete_callback_rule(
        self,
        *,
        app_key: str = "",
        rule_id: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.DeleteCallbackRuleResponse:
        """Deletes a callback rule with all its events, the pending ones included. A second call fails
        with CALLBACK_RULE_NOT_FOUND.
        """
        request = callback_rule_service_pb2.DeleteCallbackRuleRequest(
            app_key=app_key,
            rule_id=rule_id,
        )
        method = Method("/befriend.v1.CallbackRuleService/DeleteCallbackRule", callback_rule_service_pb2.DeleteCallbackRuleRequest, callback_rule_service_pb2.DeleteCallbackRuleResponse)
        return self._caller.call(method, request, timeout)

    def rotate_signing_secret(
        self,
        *,
        app_key: str = "",
        rule_id: str = "",
        grace_period: datetime.timedelta | Duration | None = None,
        signing_secret: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.RotateSigningSecretResponse:
        """Gives a callback rule another signing secret. For a grace period requests carry two signatures,
        by the new secret and by the one before, so that the receiver can change over without a gap.

        Not idempotent: a second call ends the grace period of the secret before the first one.

        Errors: INVALID_ARGUMENT (grace_period, signing_secret).
        """
        request = callback_rule_service_pb2.RotateSigningSecretRequest(
            app_key=app_key,
            rule_id=rule_id,
            grace_period=grace_period,
            signing_secret=signing_secret,
        )
        method = Method("/befriend.v1.CallbackRuleService/RotateSigningSecret", callback_rule_service_pb2.RotateSigningSecretRequest, callback_rule_service_pb2.RotateSigningSecretResponse)
        return self._caller.call(method, request, timeout)

    def test_callback_rule(
        self,
        *,
        app_key: str = "",
        rule_id: str = "",
        timeout: float | None = None,
    ) -> callback_rule_service_pb2.TestCallbackRuleResponse:
        """Sends one event of type "callback.test" to the rule's URL, even if the rule is disabled, and
        returns what the receiver answered. The event is sent once, and is not kept. That the receiver
        fails is a result, and not an error.
        """
        request = callback_rule_service_pb2.TestCallbackRuleRequest(
            app_key=app_key,
            rule_id=rule_id,
        )
        method = Method("/befriend.v1.CallbackRuleService/TestCallbackRule", callback_rule_service_pb2.TestCallbackRuleRequest, callback_rule_service_pb2.TestCallbackRuleResponse)
        return self._caller.call(method, request, timeout)


class FriendService:
    """Friend lists and friend requests.

    A friendship has two entries, one in each user's friend list, and each entry has its owner's own
    remark and extensions. The app is the app of the caller's token, and users are looked up in that
    app only. Usernames may be given in any case; responses have them in lower case. The bounds of
    lists and pages are the defaults: the operator can set others.

    Every change is one transaction: it happens as a whole or not at all.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, RATE_LIMITED, INVALID_USERNAME,
    USER_NOT_FOUND, INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED and
    INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def add_friend(
        self,
        *,
        owner: str = "",
        friend: str = "",
        server_extension: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.AddFriendResponse:
        """Makes two users friends at once, without a friend request. Block lists do not matter. A pending
        friend request between the two is accepted. If the two are friends already, nothing changes,
        and server_extension is ignored.

        Errors: FRIEND_LIMIT_EXCEEDED (either list is full), SELF_RELATION, INVALID_EXTENSION.
        """
        request = friend_service_pb2.AddFriendRequest(
            owner=owner,
            friend=friend,
            server_extension=server_extension,
        )
        method = Method("/befriend.v1.FriendService/AddFriend", friend_service_pb2.AddFriendRequest, friend_service_pb2.AddFriendResponse)
        return self._caller.call(method, request, timeout)

    def remove_friend(
        self,
        *,
        owner: str = "",
        friend: str = "",
        clear_remark: bool = False,
        timeout: float | None = None,
    ) -> friend_service_pb2.RemoveFriendResponse:
        """Ends a friendship on both sides. If the two are not friends, only the remark is cleared, if
        clear_remark is set.

        Errors: SELF_RELATION.
        """
        request = friend_service_pb2.RemoveFriendRequest(
            owner=owner,
            friend=friend,
            clear_remark=clear_remark,
        )
        method = Method("/befriend.v1.FriendService/RemoveFriend", friend_service_pb2.RemoveFriendRequest, friend_service_pb2.RemoveFriendResponse)
        return self._caller.call(method, request, timeout)

    def remove_all_friends(
        self,
        *,
        owner: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.RemoveAllFriendsResponse:
        """Ends all friendships of a user, each on both sides, and clears all remarks of the user. Block
        lists and friend requests stay. A second call removes 0 friends.
        """
        request = friend_service_pb2.RemoveAllFriendsRequest(
            owner=owner,
        )
        method = Method("/befriend.v1.FriendService/RemoveAllFriends", friend_service_pb2.RemoveAllFriendsRequest, friend_service_pb2.RemoveAllFriendsResponse)
        return self._caller.call(method, request, timeout)

    def set_remark(
        self,
        *,
        owner: str = "",
        friend: str = "",
        remark: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.SetRemarkResponse:
        """Sets the owner's remark on a friend. Only the owner sees the remark.

        Errors: NOT_FRIENDS, INVALID_REMARK.
        """
        request = friend_service_pb2.SetRemarkRequest(
            owner=owner,
            friend=friend,
            remark=remark,
        )
        method = Method("/befriend.v1.FriendService/SetRemark", friend_service_pb2.SetRemarkRequest, friend_service_pb2.SetRemarkResponse)
        return self._caller.call(method, request, timeout)

    def get_friend(
        self,
        *,
        owner: str = "",
        friend: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.GetFriendResponse:
        """Returns one entry of a friend list.

        Errors: NOT_FRIENDS.
        """
        request = friend_service_pb2.GetFriendRequest(
            owner=owner,
            friend=friend,
        )
        method = Method("/befriend.v1.FriendService/GetFriend", friend_service_pb2.GetFriendRequest, friend_service_pb2.GetFriendResponse)
        return self._caller.call(method, request, timeout)

    def list_friends(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        page_token: str = "",
        include_remark: bool = False,
        timeout: float | None = None,
    ) -> friend_service_pb2.ListFriendsResponse:
        """Returns a page of a friend list, in username order. A client that reads all pages while others
        write gets every friend who is in the list the whole time exactly once.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = friend_service_pb2.ListFriendsRequest(
            owner=owner,
            page_size=page_size,
            page_token=page_token,
            include_remark=include_remark,
        )
        method = Method("/befriend.v1.FriendService/ListFriends", friend_service_pb2.ListFriendsRequest, friend_service_pb2.ListFriendsResponse)
        return self._caller.call(method, request, timeout)

    def iter_friends(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        include_remark: bool = False,
        timeout: float | None = None,
    ) -> Iterator[friend_service_pb2.ListFriendsResponse.Entry]:
        """All entries that `list_friends` has, page by page.
        """
        request = friend_service_pb2.ListFriendsRequest(
            owner=owner,
            page_size=page_size,
            include_remark=include_remark,
        )
        method = Method("/befriend.v1.FriendService/ListFriends", friend_service_pb2.ListFriendsRequest, friend_service_pb2.ListFriendsResponse)
        return self._caller.pages(method, request, timeout, "entries")

    def list_all_friends(
        self,
        *,
        owner: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.ListAllFriendsResponse:
        """Returns the names of all friends of a user. The app's friend limit bounds the response.
        """
        request = friend_service_pb2.ListAllFriendsRequest(
            owner=owner,
        )
        method = Method("/befriend.v1.FriendService/ListAllFriends", friend_service_pb2.ListAllFriendsRequest, friend_service_pb2.ListAllFriendsResponse)
        return self._caller.call(method, request, timeout)

    def import_friends(
        self,
        *,
        owner: str = "",
        usernames: Iterable[str] = (),
        notify: bool = False,
        timeout: float | None = None,
    ) -> friend_service_pb2.ImportFriendsResponse:
        """Makes a user the friend of 1-10 others, as AddFriend does, and returns a result for each name.

        Errors of the whole call: BATCH_TOO_LARGE, INVALID_ARGUMENT (no names), FRIEND_LIMIT_EXCEEDED
        (the owner's list was full before the call, and a user is named who is not in it). A name that
        is not a username or belongs to nobody is a result, and not an error.
        """
        request = friend_service_pb2.ImportFriendsRequest(
            owner=owner,
            usernames=usernames,
            notify=notify,
        )
        method = Method("/befriend.v1.FriendService/ImportFriends", friend_service_pb2.ImportFriendsRequest, friend_service_pb2.ImportFriendsResponse)
        return self._caller.call(method, request, timeout)

    def update_friend(
        self,
        *,
        owner: str = "",
        friend: str = "",
        remark: str | None = None,
        extension: str | None = None,
        server_extension: str | None = None,
        update_mask: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> friend_service_pb2.UpdateFriendResponse:
        """Changes fields of the owner's entry of a friend.

        Errors: NOT_FRIENDS, INVALID_REMARK, INVALID_EXTENSION, INVALID_ARGUMENT (update_mask).
        """
        request = friend_service_pb2.UpdateFriendRequest(
            owner=owner,
            friend=friend,
            remark=remark,
            extension=extension,
            server_extension=server_extension,
            update_mask=None if update_mask is None else FieldMask(paths=update_mask),
        )
        method = Method("/befriend.v1.FriendService/UpdateFriend", friend_service_pb2.UpdateFriendRequest, friend_service_pb2.UpdateFriendResponse)
        return self._caller.call(method, request, timeout)

    def sync_friends(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
        updated_after: datetime.datetime | Timestamp | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.SyncFriendsResponse:
        """Returns what has changed in a friend list since a version, removals included. A client that
        applies all pages has exactly the list as of the last page's next_version.

        Errors: VERSION_AHEAD, PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT
        (since_version, updated_after).
        """
        request = friend_service_pb2.SyncFriendsRequest(
            owner=owner,
            since_version=since_version,
            updated_after=updated_after,
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.FriendService/SyncFriends", friend_service_pb2.SyncFriendsRequest, friend_service_pb2.SyncFriendsResponse)
        return self._caller.call(method, request, timeout)

    def iter_sync_friends(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
        updated_after: datetime.datetime | Timestamp | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[friend_service_pb2.SyncFriendsResponse]:
        """All pages of `sync_friends`; the last one has the version to go on from.

        After VERSION_AHEAD they begin again from 0, with `full_resync`: discard the copy.
        """
        request = friend_service_pb2.SyncFriendsRequest(
            owner=owner,
            since_version=since_version,
            updated_after=updated_after,
            page_size=page_size,
        )
        method = Method("/befriend.v1.FriendService/SyncFriends", friend_service_pb2.SyncFriendsRequest, friend_service_pb2.SyncFriendsResponse)
        return self._caller.sync(method, request, timeout)

    def watch_friends(
        self,
        *,
        owner: str = "",
        since_version: int = 0,
    ) -> Generator[friend_service_pb2.WatchFriendsResponse, None, None]:
        """Sends what has changed in a friend list since a version, and then every change as it happens.
        The first message is sent at once, even without changes. The stream ends with OK when the
        instance shuts down, or after a time that the operator sets (1 hour by default): watch again
        from the last next_version.

        Errors: VERSION_AHEAD, INVALID_ARGUMENT (since_version), UNAVAILABLE (also when the instance
        has as many watchers as it can). During the stream: WATCHER_TOO_SLOW (the client does not
        read), USER_NOT_FOUND (the owner was deleted), UNAUTHENTICATED (the token was revoked or has
        expired).

        Goes on by itself from the last version when the stream ends or breaks, for as long as it is read, and ends when the
        client is closed. A message with `full_resync` begins the whole list anew: discard the copy. Raises what waiting
        does not help against, as UserNotFound.
        """
        request = friend_service_pb2.WatchFriendsRequest(
            owner=owner,
            since_version=since_version,
        )
        method = Method("/befriend.v1.FriendService/WatchFriends", friend_service_pb2.WatchFriendsRequest, friend_service_pb2.WatchFriendsResponse)
        return self._caller.watch(method, request)

    def send_friend_request(
        self,
        *,
        requester: str = "",
        recipient: str = "",
        message: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.SendFriendRequestResponse:
        """Sends a friend request. While a request is pending, another call replaces its message. If the
        recipient has a pending request to the requester, that request is accepted instead.

        Not idempotent: after such an acceptance a second call fails with ALREADY_FRIENDS, and after a
        rejection it sends another request.

        Errors: SELF_RELATION, ALREADY_FRIENDS, BLOCKED (the recipient blocks the requester),
        FRIEND_REQUEST_LIMIT_EXCEEDED, FRIEND_LIMIT_EXCEEDED (either friend list is full, when a
        request is accepted), INVALID_ARGUMENT (message).
        """
        request = friend_service_pb2.SendFriendRequestRequest(
            requester=requester,
            recipient=recipient,
            message=message,
        )
        method = Method("/befriend.v1.FriendService/SendFriendRequest", friend_service_pb2.SendFriendRequestRequest, friend_service_pb2.SendFriendRequestResponse)
        return self._caller.call(method, request, timeout)

    def accept_friend_request(
        self,
        *,
        requester: str = "",
        recipient: str = "",
        message: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.AcceptFriendRequestResponse:
        """Accepts a pending friend request: the two are friends at once. Accepting a request again
        changes nothing while the two are friends.

        Errors: FRIEND_REQUEST_NOT_FOUND, BLOCKED (either user blocks the other), FRIEND_LIMIT_EXCEEDED
        (either list is full; the request stays pending), INVALID_ARGUMENT (message).
        """
        request = friend_service_pb2.AcceptFriendRequestRequest(
            requester=requester,
            recipient=recipient,
            message=message,
        )
        method = Method("/befriend.v1.FriendService/AcceptFriendRequest", friend_service_pb2.AcceptFriendRequestRequest, friend_service_pb2.AcceptFriendRequestResponse)
        return self._caller.call(method, request, timeout)

    def reject_friend_request(
        self,
        *,
        requester: str = "",
        recipient: str = "",
        message: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.RejectFriendRequestResponse:
        """Rejects a pending friend request. Rejecting a request again changes nothing.

        Errors: FRIEND_REQUEST_NOT_FOUND, INVALID_ARGUMENT (message).
        """
        request = friend_service_pb2.RejectFriendRequestRequest(
            requester=requester,
            recipient=recipient,
            message=message,
        )
        method = Method("/befriend.v1.FriendService/RejectFriendRequest", friend_service_pb2.RejectFriendRequestRequest, friend_service_pb2.RejectFriendRequestResponse)
        return self._caller.call(method, request, timeout)

    def cancel_friend_request(
        self,
        *,
        requester: str = "",
        recipient: str = "",
        message: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.CancelFriendRequestResponse:
        """Cancels a pending friend request, for the requester. Cancelling a request again changes
        nothing.

        Errors: FRIEND_REQUEST_NOT_FOUND, INVALID_ARGUMENT (message).
        """
        request = friend_service_pb2.CancelFriendRequestRequest(
            requester=requester,
            recipient=recipient,
            message=message,
        )
        method = Method("/befriend.v1.FriendService/CancelFriendRequest", friend_service_pb2.CancelFriendRequestRequest, friend_service_pb2.CancelFriendRequestResponse)
        return self._caller.call(method, request, timeout)

    def list_friend_requests(
        self,
        *,
        username: str = "",
        direction: int | str | None = None,
        states: Iterable[int | str] = (),
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.ListFriendRequestsResponse:
        """Returns a page of the friend requests that a user received or sent, the newest first. Of
        several requests from one user to another only the last one is kept. Ended requests are removed
        after a time that the operator sets (30 days by default).

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN, INVALID_ARGUMENT (direction, states).
        """
        request = friend_service_pb2.ListFriendRequestsRequest(
            username=username,
            direction=direction,  # type: ignore[arg-type]
            states=states,  # type: ignore[arg-type]
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.FriendService/ListFriendRequests", friend_service_pb2.ListFriendRequestsRequest, friend_service_pb2.ListFriendRequestsResponse)
        return self._caller.call(method, request, timeout)

    def iter_friend_requests(
        self,
        *,
        username: str = "",
        direction: int | str | None = None,
        states: Iterable[int | str] = (),
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[friend_service_pb2.FriendRequest]:
        """All entries that `list_friend_requests` has, page by page.
        """
        request = friend_service_pb2.ListFriendRequestsRequest(
            username=username,
            direction=direction,  # type: ignore[arg-type]
            states=states,  # type: ignore[arg-type]
            page_size=page_size,
        )
        method = Method("/befriend.v1.FriendService/ListFriendRequests", friend_service_pb2.ListFriendRequestsRequest, friend_service_pb2.ListFriendRequestsResponse)
        return self._caller.pages(method, request, timeout, "friend_requests")

    def list_mutual_friends(
        self,
        *,
        username: str = "",
        other: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> friend_service_pb2.ListMutualFriendsResponse:
        """Returns a page of the users who are friends of both of two users, in username order.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = friend_service_pb2.ListMutualFriendsRequest(
            username=username,
            other=other,
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.FriendService/ListMutualFriends", friend_service_pb2.ListMutualFriendsRequest, friend_service_pb2.ListMutualFriendsResponse)
        return self._caller.call(method, request, timeout)

    def iter_mutual_friends(
        self,
        *,
        username: str = "",
        other: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[str]:
        """All entries that `list_mutual_friends` has, page by page.
        """
        request = friend_service_pb2.ListMutualFriendsRequest(
            username=username,
            other=other,
            page_size=page_size,
        )
        method = Method("/befriend.v1.FriendService/ListMutualFriends", friend_service_pb2.ListMutualFriendsRequest, friend_service_pb2.ListMutualFriendsResponse)
        return self._caller.pages(method, request, timeout, "usernames")


class OperatorTokenService:
    """Operator tokens: each stands for one person or program that runs the installation, with a name
    and a role. For operators only, whose token every call needs, as metadata "authorization: Bearer
    <token>".

    The operator token of the settings is the root: it has the role ADMIN, is not listed, and can't
    be revoked by a call.

    Every call can fail with UNAUTHENTICATED, TOKEN_SCOPE, OPERATOR_ROLE, RATE_LIMITED (after too
    many wrong tokens), INVALID_ARGUMENT (the message can't be read), UNAVAILABLE, DEADLINE_EXCEEDED
    and INTERNAL, and every change with CONFLICT. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_operator_token(
        self,
        *,
        name: str = "",
        role: int | str | None = None,
        ttl: datetime.timedelta | Duration | None = None,
        timeout: float | None = None,
    ) -> operator_token_service_pb2.CreateOperatorTokenResponse:
        """Creates an operator token. Needs the role ADMIN.

        Errors: OPERATOR_TOKEN_ALREADY_EXISTS, INVALID_ARGUMENT (name, role, ttl).
        """
        request = operator_token_service_pb2.CreateOperatorTokenRequest(
            name=name,
            role=role,  # type: ignore[arg-type]
            ttl=ttl,
        )
        method = Method("/befriend.v1.OperatorTokenService/CreateOperatorToken", operator_token_service_pb2.CreateOperatorTokenRequest, operator_token_service_pb2.CreateOperatorTokenResponse)
        return self._caller.call(method, request, timeout)

    def list_operator_tokens(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> operator_token_service_pb2.ListOperatorTokensResponse:
        """Returns a page of the operator tokens that have not expired, in the order of their names.

        Errors: PAGE_SIZE_OUT_OF_RANGE, INVALID_PAGE_TOKEN.
        """
        request = operator_token_service_pb2.ListOperatorTokensRequest(
            page_size=page_size,
            page_token=page_token,
        )
        method = Method("/befriend.v1.OperatorTokenService/ListOperatorTokens", operator_token_service_pb2.ListOperatorTokensRequest, operator_token_service_pb2.ListOperatorTokensResponse)
        return self._caller.call(method, request, timeout)

    def iter_operator_tokens(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[operator_token_service_pb2.OperatorToken]:
        """All entries that `list_operator_tokens` has, page by page.
        """
        request = operator_token_service_pb2.ListOperatorTokensRequest(
            page_size=page_size,
        )
        method = Method("/befriend.v1.OperatorTokenService/ListOperatorTokens", operator_token_service_pb2.ListOperatorTokensRequest, operator_token_service_pb2.ListOperatorTokensResponse)
        return self._caller.pages(method, request, timeout, "operator_tokens")

    def revoke_operator_token(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> operator_token_service_pb2.RevokeOperatorTokenResponse:
        """Revokes an operator token. The instance that is called refuses the token from then on, other
        instances within a few seconds. The name can be used again. A second call fails with
        OPERATOR_TOKEN_NOT_FOUND. Needs the role ADMIN.

        Errors: OPERATOR_TOKEN_NOT_FOUND, INVALID_ARGUMENT (name).
        """
        request = operator_token_service_pb2.RevokeOperatorTokenRequest(
            name=name,
        )
        method = Method("/befriend.v1.OperatorTokenService/RevokeOperatorToken", operator_token_service_pb2.RevokeOperatorTokenRequest, operator_token_service_pb2.RevokeOperatorTokenResponse)
        return self._caller.call(method, request, timeout)


class RelationService:
    """How users stand to each other. A message service asks "May A write to B?" for every message.

    The app is the app of the caller's token. Usernames may be given in any case; responses have them
    in lower case. The bound of a list is the default: the operator can set another.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def check_relations(
        self,
        *,
        username: str = "",
        others: Iterable[str] = (),
        timeout: float | None = None,
    ) -> relation_service_pb2.CheckRelationsResponse:
        """Returns how a user and 1-100 others stand to each other. A user has no relation to a name that
        belongs to nobody.

        Errors: USER_NOT_FOUND (the user; never one of the others), INVALID_USERNAME, BATCH_TOO_LARGE,
        INVALID_ARGUMENT (no others, or the message can't be read), UNAUTHENTICATED, TOKEN_SCOPE,
        RATE_LIMITED, UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
        """
        request = relation_service_pb2.CheckRelationsRequest(
            username=username,
            others=others,
        )
        method = Method("/befriend.v1.RelationService/CheckRelations", relation_service_pb2.CheckRelationsRequest, relation_service_pb2.CheckRelationsResponse)
        return self._caller.call(method, request, timeout)


class TokenService:
    """App tokens. A client sends its token with each call, as metadata "authorization: Bearer <token>".

    Every call can fail with INVALID_ARGUMENT (the message can't be read), RATE_LIMITED, UNAVAILABLE,
    DEADLINE_EXCEEDED, CONFLICT and INTERNAL. Further errors are listed with each call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def issue_token(
        self,
        *,
        client_id: str = "",
        client_secret: str = "",
        ttl: datetime.timedelta | Duration | None = None,
        timeout: float | None = None,
    ) -> token_service_pb2.IssueTokenResponse:
        """Issues a token for an app's credentials. The call itself needs no token. Each call issues
        another token, and the ones before stay valid.

        Errors: INVALID_CREDENTIALS, INVALID_ARGUMENT (ttl), RATE_LIMITED (also after too many failed
        logins from the client's address).
        """
        request = token_service_pb2.IssueTokenRequest(
            client_id=client_id,
            client_secret=client_secret,
            ttl=ttl,
        )
        method = Method("/befriend.v1.TokenService/IssueToken", token_service_pb2.IssueTokenRequest, token_service_pb2.IssueTokenResponse)
        return self._caller.call(method, request, timeout)

    def revoke_token(
        self,
        *,
        access_token: str = "",
        timeout: float | None = None,
    ) -> token_service_pb2.RevokeTokenResponse:
        """Revokes a token of the caller's app. A token that is unknown or of another app is left alone,
        which is no error. Other instances may accept a revoked token for a few seconds more.

        Not idempotent: a call that revokes the token that it was made with fails the second time.

        Errors: UNAUTHENTICATED, TOKEN_SCOPE.
        """
        request = token_service_pb2.RevokeTokenRequest(
            access_token=access_token,
        )
        method = Method("/befriend.v1.TokenService/RevokeToken", token_service_pb2.RevokeTokenRequest, token_service_pb2.RevokeTokenResponse)
        return self._caller.call(method, request, timeout)
