from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CheckRelationsRequest(_message.Message):
    __slots__ = ("username", "others")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    username: str
    others: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, username: _Optional[str] = ..., others: _Optional[_Iterable[str]] = ...) -> None: ...

class Relation(_message.Message):
    __slots__ = ("username", "is_friend", "blocks", "blocked_by")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    IS_FRIEND_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_BY_FIELD_NUMBER: _ClassVar[int]
    username: str
    is_friend: bool
    blocks: bool
    blocked_by: bool
    def __init__(self, username: _Optional[str] = ..., is_friend: _Optional[bool] = ..., blocks: _Optional[bool] = ..., blocked_by: _Optional[bool] = ...) -> None: ...

class CheckRelationsResponse(_message.Message):
    __slots__ = ("relations",)
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    relations: _containers.RepeatedCompositeFieldContainer[Relation]
    def __init__(self, relations: _Optional[_Iterable[_Union[Relation, _Mapping]]] = ...) -> None: ...
