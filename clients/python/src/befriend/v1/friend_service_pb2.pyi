import datetime

from befriend.v1 import user_service_pb2 as _user_service_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FriendRequestState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRIEND_REQUEST_STATE_UNSPECIFIED: _ClassVar[FriendRequestState]
    FRIEND_REQUEST_STATE_PENDING: _ClassVar[FriendRequestState]
    FRIEND_REQUEST_STATE_ACCEPTED: _ClassVar[FriendRequestState]
    FRIEND_REQUEST_STATE_REJECTED: _ClassVar[FriendRequestState]
    FRIEND_REQUEST_STATE_CANCELLED: _ClassVar[FriendRequestState]
    FRIEND_REQUEST_STATE_EXPIRED: _ClassVar[FriendRequestState]

class FriendRequestDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRIEND_REQUEST_DIRECTION_UNSPECIFIED: _ClassVar[FriendRequestDirection]
    FRIEND_REQUEST_DIRECTION_INCOMING: _ClassVar[FriendRequestDirection]
    FRIEND_REQUEST_DIRECTION_OUTGOING: _ClassVar[FriendRequestDirection]
FRIEND_REQUEST_STATE_UNSPECIFIED: FriendRequestState
FRIEND_REQUEST_STATE_PENDING: FriendRequestState
FRIEND_REQUEST_STATE_ACCEPTED: FriendRequestState
FRIEND_REQUEST_STATE_REJECTED: FriendRequestState
FRIEND_REQUEST_STATE_CANCELLED: FriendRequestState
FRIEND_REQUEST_STATE_EXPIRED: FriendRequestState
FRIEND_REQUEST_DIRECTION_UNSPECIFIED: FriendRequestDirection
FRIEND_REQUEST_DIRECTION_INCOMING: FriendRequestDirection
FRIEND_REQUEST_DIRECTION_OUTGOING: FriendRequestDirection

class Friend(_message.Message):
    __slots__ = ("username", "remark", "extension", "server_extension", "bidirectional", "create_time", "update_time", "version")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    BIDIRECTIONAL_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    username: str
    remark: str
    extension: str
    server_extension: str
    bidirectional: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, username: _Optional[str] = ..., remark: _Optional[str] = ..., extension: _Optional[str] = ..., server_extension: _Optional[str] = ..., bidirectional: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class AddFriendRequest(_message.Message):
    __slots__ = ("owner", "friend", "server_extension")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    SERVER_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    friend: str
    server_extension: str
    def __init__(self, owner: _Optional[str] = ..., friend: _Optional[str] = ..., server_extension: _Optional[str] = ...) -> None: ...

class AddFriendResponse(_message.Message):
    __slots__ = ("friend", "user")
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    friend: Friend
    user: _user_service_pb2.User
    def __init__(self, friend: _Optional[_Union[Friend, _Mapping]] = ..., user: _Optional[_Union[_user_service_pb2.User, _Mapping]] = ...) -> None: ...

class RemoveFriendRequest(_message.Message):
    __slots__ = ("owner", "friend", "clear_remark")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    CLEAR_REMARK_FIELD_NUMBER: _ClassVar[int]
    owner: str
    friend: str
    clear_remark: bool
    def __init__(self, owner: _Optional[str] = ..., friend: _Optional[str] = ..., clear_remark: _Optional[bool] = ...) -> None: ...

class RemoveFriendResponse(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: _user_service_pb2.User
    def __init__(self, user: _Optional[_Union[_user_service_pb2.User, _Mapping]] = ...) -> None: ...

class RemoveAllFriendsRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class RemoveAllFriendsResponse(_message.Message):
    __slots__ = ("removed_count",)
    REMOVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    removed_count: int
    def __init__(self, removed_count: _Optional[int] = ...) -> None: ...

class SetRemarkRequest(_message.Message):
    __slots__ = ("owner", "friend", "remark")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    owner: str
    friend: str
    remark: str
    def __init__(self, owner: _Optional[str] = ..., friend: _Optional[str] = ..., remark: _Optional[str] = ...) -> None: ...

class SetRemarkResponse(_message.Message):
    __slots__ = ("friend",)
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    friend: Friend
    def __init__(self, friend: _Optional[_Union[Friend, _Mapping]] = ...) -> None: ...

class GetFriendRequest(_message.Message):
    __slots__ = ("owner", "friend")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    owner: str
    friend: str
    def __init__(self, owner: _Optional[str] = ..., friend: _Optional[str] = ...) -> None: ...

class GetFriendResponse(_message.Message):
    __slots__ = ("friend",)
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    friend: Friend
    def __init__(self, friend: _Optional[_Union[Friend, _Mapping]] = ...) -> None: ...

class ListFriendsRequest(_message.Message):
    __slots__ = ("owner", "page_size", "page_token", "include_remark")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_REMARK_FIELD_NUMBER: _ClassVar[int]
    owner: str
    page_size: int
    page_token: str
    include_remark: bool
    def __init__(self, owner: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_remark: _Optional[bool] = ...) -> None: ...

class ListFriendsResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    class Entry(_message.Message):
        __slots__ = ("username", "remark")
        USERNAME_FIELD_NUMBER: _ClassVar[int]
        REMARK_FIELD_NUMBER: _ClassVar[int]
        username: str
        remark: str
        def __init__(self, username: _Optional[str] = ..., remark: _Optional[str] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ListFriendsResponse.Entry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[ListFriendsResponse.Entry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAllFriendsRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class ListAllFriendsResponse(_message.Message):
    __slots__ = ("usernames", "total_size")
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    usernames: _containers.RepeatedScalarFieldContainer[str]
    total_size: int
    def __init__(self, usernames: _Optional[_Iterable[str]] = ..., total_size: _Optional[int] = ...) -> None: ...

class ImportFriendsRequest(_message.Message):
    __slots__ = ("owner", "usernames", "notify")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_FIELD_NUMBER: _ClassVar[int]
    owner: str
    usernames: _containers.RepeatedScalarFieldContainer[str]
    notify: bool
    def __init__(self, owner: _Optional[str] = ..., usernames: _Optional[_Iterable[str]] = ..., notify: _Optional[bool] = ...) -> None: ...

class ImportFriendsResponse(_message.Message):
    __slots__ = ("succeeded", "not_found", "limit_exceeded", "failed")
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    NOT_FOUND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_EXCEEDED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    succeeded: _containers.RepeatedScalarFieldContainer[str]
    not_found: _containers.RepeatedScalarFieldContainer[str]
    limit_exceeded: _containers.RepeatedScalarFieldContainer[str]
    failed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, succeeded: _Optional[_Iterable[str]] = ..., not_found: _Optional[_Iterable[str]] = ..., limit_exceeded: _Optional[_Iterable[str]] = ..., failed: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateFriendRequest(_message.Message):
    __slots__ = ("owner", "friend", "remark", "extension", "server_extension", "update_mask")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    owner: str
    friend: str
    remark: str
    extension: str
    server_extension: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, owner: _Optional[str] = ..., friend: _Optional[str] = ..., remark: _Optional[str] = ..., extension: _Optional[str] = ..., server_extension: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateFriendResponse(_message.Message):
    __slots__ = ("friend",)
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    friend: Friend
    def __init__(self, friend: _Optional[_Union[Friend, _Mapping]] = ...) -> None: ...

class FriendChange(_message.Message):
    __slots__ = ("upserted", "removed", "version")
    UPSERTED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    upserted: Friend
    removed: str
    version: int
    def __init__(self, upserted: _Optional[_Union[Friend, _Mapping]] = ..., removed: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SyncFriendsRequest(_message.Message):
    __slots__ = ("owner", "since_version", "updated_after", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    since_version: int
    updated_after: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., since_version: _Optional[int] = ..., updated_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SyncFriendsResponse(_message.Message):
    __slots__ = ("changes", "next_version", "has_more", "next_page_token", "full_resync")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[FriendChange]
    next_version: int
    has_more: bool
    next_page_token: str
    full_resync: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[FriendChange, _Mapping]]] = ..., next_version: _Optional[int] = ..., has_more: _Optional[bool] = ..., next_page_token: _Optional[str] = ..., full_resync: _Optional[bool] = ...) -> None: ...

class WatchFriendsRequest(_message.Message):
    __slots__ = ("owner", "since_version")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    since_version: int
    def __init__(self, owner: _Optional[str] = ..., since_version: _Optional[int] = ...) -> None: ...

class WatchFriendsResponse(_message.Message):
    __slots__ = ("changes", "next_version", "full_resync", "up_to_date")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_FIELD_NUMBER: _ClassVar[int]
    UP_TO_DATE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[FriendChange]
    next_version: int
    full_resync: bool
    up_to_date: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[FriendChange, _Mapping]]] = ..., next_version: _Optional[int] = ..., full_resync: _Optional[bool] = ..., up_to_date: _Optional[bool] = ...) -> None: ...

class FriendRequest(_message.Message):
    __slots__ = ("requester", "recipient", "state", "message", "answer", "create_time", "update_time", "expire_time")
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    requester: str
    recipient: str
    state: FriendRequestState
    message: str
    answer: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, requester: _Optional[str] = ..., recipient: _Optional[str] = ..., state: _Optional[_Union[FriendRequestState, str]] = ..., message: _Optional[str] = ..., answer: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SendFriendRequestRequest(_message.Message):
    __slots__ = ("requester", "recipient", "message")
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    requester: str
    recipient: str
    message: str
    def __init__(self, requester: _Optional[str] = ..., recipient: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class SendFriendRequestResponse(_message.Message):
    __slots__ = ("friend_request",)
    FRIEND_REQUEST_FIELD_NUMBER: _ClassVar[int]
    friend_request: FriendRequest
    def __init__(self, friend_request: _Optional[_Union[FriendRequest, _Mapping]] = ...) -> None: ...

class AcceptFriendRequestRequest(_message.Message):
    __slots__ = ("requester", "recipient", "message")
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    requester: str
    recipient: str
    message: str
    def __init__(self, requester: _Optional[str] = ..., recipient: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class AcceptFriendRequestResponse(_message.Message):
    __slots__ = ("friend_request", "friend")
    FRIEND_REQUEST_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    friend_request: FriendRequest
    friend: Friend
    def __init__(self, friend_request: _Optional[_Union[FriendRequest, _Mapping]] = ..., friend: _Optional[_Union[Friend, _Mapping]] = ...) -> None: ...

class RejectFriendRequestRequest(_message.Message):
    __slots__ = ("requester", "recipient", "message")
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    requester: str
    recipient: str
    message: str
    def __init__(self, requester: _Optional[str] = ..., recipient: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RejectFriendRequestResponse(_message.Message):
    __slots__ = ("friend_request",)
    FRIEND_REQUEST_FIELD_NUMBER: _ClassVar[int]
    friend_request: FriendRequest
    def __init__(self, friend_request: _Optional[_Union[FriendRequest, _Mapping]] = ...) -> None: ...

class CancelFriendRequestRequest(_message.Message):
    __slots__ = ("requester", "recipient", "message")
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    requester: str
    recipient: str
    message: str
    def __init__(self, requester: _Optional[str] = ..., recipient: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class CancelFriendRequestResponse(_message.Message):
    __slots__ = ("friend_request",)
    FRIEND_REQUEST_FIELD_NUMBER: _ClassVar[int]
    friend_request: FriendRequest
    def __init__(self, friend_request: _Optional[_Union[FriendRequest, _Mapping]] = ...) -> None: ...

class ListFriendRequestsRequest(_message.Message):
    __slots__ = ("username", "direction", "states", "page_size", "page_token")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    username: str
    direction: FriendRequestDirection
    states: _containers.RepeatedScalarFieldContainer[FriendRequestState]
    page_size: int
    page_token: str
    def __init__(self, username: _Optional[str] = ..., direction: _Optional[_Union[FriendRequestDirection, str]] = ..., states: _Optional[_Iterable[_Union[FriendRequestState, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFriendRequestsResponse(_message.Message):
    __slots__ = ("friend_requests", "next_page_token")
    FRIEND_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    friend_requests: _containers.RepeatedCompositeFieldContainer[FriendRequest]
    next_page_token: str
    def __init__(self, friend_requests: _Optional[_Iterable[_Union[FriendRequest, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListMutualFriendsRequest(_message.Message):
    __slots__ = ("username", "other", "page_size", "page_token")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    username: str
    other: str
    page_size: int
    page_token: str
    def __init__(self, username: _Optional[str] = ..., other: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMutualFriendsResponse(_message.Message):
    __slots__ = ("usernames", "next_page_token")
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    usernames: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, usernames: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
