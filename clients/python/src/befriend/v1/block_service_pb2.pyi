from befriend.v1 import user_service_pb2 as _user_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BlockUsersRequest(_message.Message):
    __slots__ = ("owner", "usernames")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    owner: str
    usernames: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, owner: _Optional[str] = ..., usernames: _Optional[_Iterable[str]] = ...) -> None: ...

class BlockUsersResponse(_message.Message):
    __slots__ = ("usernames",)
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    usernames: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, usernames: _Optional[_Iterable[str]] = ...) -> None: ...

class UnblockUserRequest(_message.Message):
    __slots__ = ("owner", "username")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    owner: str
    username: str
    def __init__(self, owner: _Optional[str] = ..., username: _Optional[str] = ...) -> None: ...

class UnblockUserResponse(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: _user_service_pb2.User
    def __init__(self, user: _Optional[_Union[_user_service_pb2.User, _Mapping]] = ...) -> None: ...

class ListBlockedUsersRequest(_message.Message):
    __slots__ = ("owner", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBlockedUsersResponse(_message.Message):
    __slots__ = ("usernames", "next_page_token")
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    usernames: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, usernames: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAllBlockedUsersRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: str
    def __init__(self, owner: _Optional[str] = ...) -> None: ...

class ListAllBlockedUsersResponse(_message.Message):
    __slots__ = ("usernames", "total_size")
    USERNAMES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    usernames: _containers.RepeatedScalarFieldContainer[str]
    total_size: int
    def __init__(self, usernames: _Optional[_Iterable[str]] = ..., total_size: _Optional[int] = ...) -> None: ...

class BlockChange(_message.Message):
    __slots__ = ("blocked", "unblocked", "version")
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    UNBLOCKED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    blocked: str
    unblocked: str
    version: int
    def __init__(self, blocked: _Optional[str] = ..., unblocked: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SyncBlocksRequest(_message.Message):
    __slots__ = ("owner", "since_version", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    since_version: int
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., since_version: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SyncBlocksResponse(_message.Message):
    __slots__ = ("changes", "next_version", "has_more", "next_page_token", "full_resync")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[BlockChange]
    next_version: int
    has_more: bool
    next_page_token: str
    full_resync: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[BlockChange, _Mapping]]] = ..., next_version: _Optional[int] = ..., has_more: _Optional[bool] = ..., next_page_token: _Optional[str] = ..., full_resync: _Optional[bool] = ...) -> None: ...

class WatchBlocksRequest(_message.Message):
    __slots__ = ("owner", "since_version")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    since_version: int
    def __init__(self, owner: _Optional[str] = ..., since_version: _Optional[int] = ...) -> None: ...

class WatchBlocksResponse(_message.Message):
    __slots__ = ("changes", "next_version", "full_resync", "up_to_date")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_FIELD_NUMBER: _ClassVar[int]
    UP_TO_DATE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[BlockChange]
    next_version: int
    full_resync: bool
    up_to_date: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[BlockChange, _Mapping]]] = ..., next_version: _Optional[int] = ..., full_resync: _Optional[bool] = ..., up_to_date: _Optional[bool] = ...) -> None: ...
