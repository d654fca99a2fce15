"""The door of a cluster: whether somebody answers and lets us in; Ray itself tries for a long time before it says."""

import os
import re
import socket

from advorch.engine.ray.token import HINT, Token
from advorch.errors import InfrastructureError

CONNECT_SECONDS = 5.0
QUESTION = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # its request has no fields, so it is written as no bytes

_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


def knock(address: str, token: Token) -> bool:
    """Whether the cluster wants the token; an error if nobody listens there, or the token is refused.

    `auto` is what the environment names; other addresses without a port are left to Ray.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return False
    socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    if not _is_refused(address, {}):
        return False
    if _is_refused(address, token.headers):
        raise token.refused_by(address)
    return True


def words(error: BaseException) -> str:
    """What went wrong, in one line."""
    versions = _VERSIONS.findall(str(error))
    if len(versions) == 2:
        (ray, python), (own_ray, own_python) = versions
        return f"it runs Ray {ray} on Python {python}, and this is Ray {own_ray} on Python {own_python}"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def advice(error: BaseException) -> str:
    """What to do about it."""
    if _VERSIONS.search(str(error)):
        return "Ray joins only equal versions: install the cluster's here, or submit the pipeline instead"
    if "token" in str(error).lower() or "auth" in str(error).lower():
        return HINT
    return "is the head running, and is the address that of Ray itself (port 6379), not of the dashboard?"


def as_infrastructure(error: BaseException, where: str) -> InfrastructureError:
    """The one line for a cluster that cannot be joined or started."""
    if isinstance(error, InfrastructureError):
        return error
    return InfrastructureError(f"cannot reach {where}: {words(error)}", hint=advice(error))


def _is_refused(address: str, headers: dict[str, str]) -> bool:
    """Whether the head answers that it does not know us; no answer at all is for Ray to explain."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(QUESTION, request_serializer=bytes, response_deserializer=bytes)
        try:
            ask(b"", timeout=CONNECT_SECONDS, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNAUTHENTICATED
    return False
