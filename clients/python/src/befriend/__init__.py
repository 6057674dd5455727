"""befriend: friends, remarks and block lists. `Client` blocks, `AsyncClient` is for asyncio."""

from . import errors, webhooks
from ._aio import AsyncClient
from ._error import BefriendError
from ._sync import Client

__all__ = ["AsyncClient", "BefriendError", "Client", "errors", "webhooks"]
