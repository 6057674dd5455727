"""The messages of the API.

Written by clients/generate.py: change that, or the protos.
"""

from befriend.v1.app_service_pb2 import *  # noqa: F403
from befriend.v1.audit_service_pb2 import *  # noqa: F403
from befriend.v1.block_service_pb2 import *  # noqa: F403
from befriend.v1.callback_rule_service_pb2 import *  # noqa: F403
from befriend.v1.error_reason_pb2 import *  # noqa: F403
from befriend.v1.event_service_pb2 import *  # noqa: F403
from befriend.v1.friend_service_pb2 import *  # noqa: F403
from befriend.v1.operator_token_service_pb2 import *  # noqa: F403
from befriend.v1.relation_service_pb2 import *  # noqa: F403
from befriend.v1.token_service_pb2 import *  # noqa: F403
from befriend.v1.user_service_pb2 import *  # noqa: F403
