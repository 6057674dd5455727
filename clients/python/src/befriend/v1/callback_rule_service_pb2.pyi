import datetime

from befriend.v1 import event_service_pb2 as _event_service_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BodyFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BODY_FORMAT_UNSPECIFIED: _ClassVar[BodyFormat]
    BODY_FORMAT_STANDARD: _ClassVar[BodyFormat]
    BODY_FORMAT_EASEMOB: _ClassVar[BodyFormat]
BODY_FORMAT_UNSPECIFIED: BodyFormat
BODY_FORMAT_STANDARD: BodyFormat
BODY_FORMAT_EASEMOB: BodyFormat

class CallbackRule(_message.Message):
    __slots__ = ("rule_id", "app_key", "url", "event_types", "body_format", "enabled", "disabled_reason", "ca_certificates", "create_time", "update_time")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    BODY_FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    DISABLED_REASON_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    app_key: str
    url: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    body_format: BodyFormat
    enabled: bool
    disabled_reason: str
    ca_certificates: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, rule_id: _Optional[str] = ..., app_key: _Optional[str] = ..., url: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., body_format: _Optional[_Union[BodyFormat, str]] = ..., enabled: _Optional[bool] = ..., disabled_reason: _Optional[str] = ..., ca_certificates: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateCallbackRuleRequest(_message.Message):
    __slots__ = ("app_key", "url", "event_types", "body_format", "ca_certificates", "signing_secret")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    BODY_FORMAT_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SIGNING_SECRET_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    url: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    body_format: BodyFormat
    ca_certificates: str
    signing_secret: str
    def __init__(self, app_key: _Optional[str] = ..., url: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., body_format: _Optional[_Union[BodyFormat, str]] = ..., ca_certificates: _Optional[str] = ..., signing_secret: _Optional[str] = ...) -> None: ...

class CreateCallbackRuleResponse(_message.Message):
    __slots__ = ("rule", "signing_secret")
    RULE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_SECRET_FIELD_NUMBER: _ClassVar[int]
    rule: CallbackRule
    signing_secret: str
    def __init__(self, rule: _Optional[_Union[CallbackRule, _Mapping]] = ..., signing_secret: _Optional[str] = ...) -> None: ...

class GetCallbackRuleRequest(_message.Message):
    __slots__ = ("app_key", "rule_id")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    rule_id: str
    def __init__(self, app_key: _Optional[str] = ..., rule_id: _Optional[str] = ...) -> None: ...

class GetCallbackRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: CallbackRule
    def __init__(self, rule: _Optional[_Union[CallbackRule, _Mapping]] = ...) -> None: ...

class ListCallbackRulesRequest(_message.Message):
    __slots__ = ("app_key",)
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    def __init__(self, app_key: _Optional[str] = ...) -> None: ...

class ListCallbackRulesResponse(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[CallbackRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[CallbackRule, _Mapping]]] = ...) -> None: ...

class UpdateCallbackRuleRequest(_message.Message):
    __slots__ = ("app_key", "rule_id", "url", "event_types", "body_format", "enabled", "ca_certificates", "update_mask")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    BODY_FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    rule_id: str
    url: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    body_format: BodyFormat
    enabled: bool
    ca_certificates: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, app_key: _Optional[str] = ..., rule_id: _Optional[str] = ..., url: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., body_format: _Optional[_Union[BodyFormat, str]] = ..., enabled: _Optional[bool] = ..., ca_certificates: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateCallbackRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: CallbackRule
    def __init__(self, rule: _Optional[_Union[CallbackRule, _Mapping]] = ...) -> None: ...

class DeleteCallbackRuleRequest(_message.Message):
    __slots__ = ("app_key", "rule_id")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    rule_id: str
    def __init__(self, app_key: _Optional[str] = ..., rule_id: _Optional[str] = ...) -> None: ...

class DeleteCallbackRuleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RotateSigningSecretRequest(_message.Message):
    __slots__ = ("app_key", "rule_id", "grace_period", "signing_secret")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    SIGNING_SECRET_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    rule_id: str
    grace_period: _duration_pb2.Duration
    signing_secret: str
    def __init__(self, app_key: _Optional[str] = ..., rule_id: _Optional[str] = ..., grace_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., signing_secret: _Optional[str] = ...) -> None: ...

class RotateSigningSecretResponse(_message.Message):
    __slots__ = ("rule", "signing_secret")
    RULE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_SECRET_FIELD_NUMBER: _ClassVar[int]
    rule: CallbackRule
    signing_secret: str
    def __init__(self, rule: _Optional[_Union[CallbackRule, _Mapping]] = ..., signing_secret: _Optional[str] = ...) -> None: ...

class TestCallbackRuleRequest(_message.Message):
    __slots__ = ("app_key", "rule_id")
    APP_KEY_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    app_key: str
    rule_id: str
    def __init__(self, app_key: _Optional[str] = ..., rule_id: _Optional[str] = ...) -> None: ...

class TestCallbackRuleResponse(_message.Message):
    __slots__ = ("attempt",)
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    attempt: _event_service_pb2.DeliveryAttempt
    def __init__(self, attempt: _Optional[_Union[_event_service_pb2.DeliveryAttempt, _Mapping]] = ...) -> None: ...
