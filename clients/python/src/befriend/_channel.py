"""How connections are set up."""

from __future__ import annotations

import grpc

#: The calls are repeated by this package, which reads when the service wants them back; gRPC would not.
OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
    # A connection for each client: shared, the watches of one would keep the calls of all others waiting.
    ("grpc.use_local_subchannel_pool", 1),
]


def target_of(address: str) -> tuple[str, bool]:
    """The target for gRPC, and whether with TLS: "https://host:port" is with TLS, "host:port" is not."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address, False
    if scheme not in ("http", "https"):
        raise ValueError(f"an address is host:port, http://host:port or https://host:port, not {address!r}")
    host = rest.rstrip("/")
    if ":" not in host.rpartition("]")[2]:
        host += ":443" if scheme == "https" else ":80"
    return host, scheme == "https"


def channel_credentials(
    root_certificates: bytes | None, certificate: tuple[bytes, bytes] | None
) -> grpc.ChannelCredentials:
    """TLS with these authorities (PEM; `None`: the system's), and a certificate of the client with its key."""
    chain, key = certificate or (None, None)
    return grpc.ssl_channel_credentials(root_certificates, key, chain)
