import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class App(_message.Message):
    __slots__ = ("uuid", "app_key", "client_id", "limits", "create_time", "update_time", "netease_app_key")
    UUID_FIELD_NUMBER: _ClassVar[int]
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    NETEASE_APP_KEY_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    app_key: str
    client_id: str
    limits: AppLimits
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    netease_app_key: str
    def __init__(self, uuid: _Optional[str] = ..., app_key: _Optional[str] = ..., client_id: _Optional[str] = ..., limits: _Optional[_Union[AppLimits, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., netease_app_key: _Optional[str] = ...) -> None: ...

class AppLimits(_message.Message):
    __slots__ = ("friend_limit", "block_limit", "requests_per_second")
    FRIEND_LIMIT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_LIMIT_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    friend_limit: int
    block_limit: int
    requests_per_second: int
    def __init__(self, friend_limit: _Optional[int] = ..., block_limit: _Optional[int] = ..., requests_per_second: _Optional[int] = ...) -> None: ...

class CreateAppRequest(_message.Message):
    __slots__ = ("app_key", "limits")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    limits: AppLimits
    def __init__(self, app_key: _Optional[str] = ..., limits: _Optional[_Union[AppLimits, _Mapping]] = ...) -> None: ...

class CreateAppResponse(_message.Message):
    __slots__ = ("app", "client_secret")
    APP_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    app: App
    client_secret: str
    def __init__(self, app: _Optional[_Union[App, _Mapping]] = ..., client_secret: _Optional[str] = ...) -> None: ...

class GetAppRequest(_message.Message):
    __slots__ = ("app_key",)
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    def __init__(self, app_key: _Optional[str] = ...) -> None: ...

class GetAppResponse(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: App
    def __init__(self, app: _Optional[_Union[App, _Mapping]] = ...) -> None: ...

class ListAppsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAppsResponse(_message.Message):
    __slots__ = ("apps", "next_page_token")
    APPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    apps: _containers.RepeatedCompositeFieldContainer[App]
    next_page_token: str
    def __init__(self, apps: _Optional[_Iterable[_Union[App, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateAppRequest(_message.Message):
    __slots__ = ("app_key", "limits", "update_mask")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    limits: AppLimits
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, app_key: _Optional[str] = ..., limits: _Optional[_Union[AppLimits, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateAppResponse(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: App
    def __init__(self, app: _Optional[_Union[App, _Mapping]] = ...) -> None: ...

class RotateClientSecretRequest(_message.Message):
    __slots__ = ("app_key", "revoke_tokens")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    revoke_tokens: bool
    def __init__(self, app_key: _Optional[str] = ..., revoke_tokens: _Optional[bool] = ...) -> None: ...

class RotateClientSecretResponse(_message.Message):
    __slots__ = ("app", "client_secret")
    APP_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    app: App
    client_secret: str
    def __init__(self, app: _Optional[_Union[App, _Mapping]] = ..., client_secret: _Optional[str] = ...) -> None: ...

class SetCredentialsRequest(_message.Message):
    __slots__ = ("app_key", "client_id", "client_secret", "netease_app_key", "netease_app_secret", "remove_netease_credentials")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    NETEASE_APP_KEY_FIELD_NUMBER: _ClassVar[int]
    NETEASE_APP_SECRET_FIELD_NUMBER: _ClassVar[int]
    REMOVE_NETEASE_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    client_id: str
    client_secret: str
    netease_app_key: str
    netease_app_secret: str
    remove_netease_credentials: bool
    def __init__(self, app_key: _Optional[str] = ..., client_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., netease_app_key: _Optional[str] = ..., netease_app_secret: _Optional[str] = ..., remove_netease_credentials: _Optional[bool] = ...) -> None: ...

class SetCredentialsResponse(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: App
    def __init__(self, app: _Optional[_Union[App, _Mapping]] = ...) -> None: ...

class DeleteAppRequest(_message.Message):
    __slots__ = ("app_key",)
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    def __init__(self, app_key: _Optional[str] = ...) -> None: ...

class DeleteAppResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
