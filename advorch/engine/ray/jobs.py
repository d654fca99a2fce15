"""Ray Jobs by their dashboard: submit, ask, listen, stop; every trouble with the server is one line and exit code 8."""

import contextlib
import logging
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from advorch.engine.ray.token import HINT, Token, find_token
from advorch.errors import InfrastructureError, UsageError
from advorch.tracking.submission import Job

KNOCK_SECONDS = 5.0
ANSWER_SECONDS = (5.0, 60.0)  # to connect, and between two pieces of an answer
OPTIONS, CONTENT = "advorch.options", "advorch.content"
TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.job.sdk",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job to be submitted: one command in a folder that travels; the digests tell one order from another."""

    id: str
    entrypoint: str
    folder: Path
    options: str
    content: str
    variables: Mapping[str, str] = field(default_factory=dict)


class Jobs:
    """The jobs of one cluster."""

    def __init__(self, dashboard: str) -> None:
        self._dashboard = dashboard.rstrip("/")
        self._token = find_token()
        _knock(self._dashboard)
        with self._answering():
            self._client = _client(self._dashboard, self._token)

    def find(self, id: str) -> Job | None:
        """The record of a job; None for one that the cluster does not know."""
        with self._answering():
            try:
                return _job(self._client.get_job_info(id))
            except RuntimeError as error:
                if "status code 404" in str(error):
                    return None
                raise

    def submit(self, order: Order) -> None:
        """Upload the folder and start the command; an id is taken once."""
        with self._answering():
            self._client.submit_job(
                entrypoint=order.entrypoint,
                submission_id=order.id,
                runtime_env={"working_dir": str(order.folder), "env_vars": dict(order.variables)},
                metadata={OPTIONS: order.options, CONTENT: order.content},
            )

    def stop(self, id: str) -> bool:
        """SIGTERM to the command; whether it was running."""
        with self._answering():
            return bool(self._client.stop_job(id))

    def output(self, id: str) -> str:
        """Everything that the command has written so far."""
        with self._answering():
            return str(self._client.get_job_logs(id))

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        import ray
        import requests

        try:
            yield
        except ray.exceptions.AuthenticationError as error:
            raise self._token.refused_by(self._dashboard) from error
        except (requests.RequestException, OSError, RuntimeError, ValueError) as error:
            raise InfrastructureError(f"{self._dashboard}: {_last_line(error)}", hint=_hint(error)) from error


def check_dashboard(url: str) -> str:
    """The address of a dashboard, or a usage error that says what it should be."""
    if not url.startswith(("http://", "https://")):
        hint = "a dashboard is like http://head:8265; the address of Ray itself is for `pipeline run --address`"
        raise UsageError(f"'{url}' is not the address of a dashboard", hint=hint)
    return url.rstrip("/")


def is_here(url: str) -> bool:
    """Whether a server listens on this very machine: only its own addresses can be bound."""
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_is_own(family, address) for family, _, _, _, address in found)


def _is_own(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def _knock(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        hint = "is the head running, and does this machine reach its dashboard (port 8265)?"
        raise InfrastructureError(f"cannot reach {url}: {error}", hint=hint) from error


def _client(url: str, token: Token) -> Any:
    """Ray's client with patience that ends, and our token whatever mode this process is in."""
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        def _do_request(self, method: str, endpoint: str, **details: Any) -> Any:
            return super()._do_request(method, endpoint, timeout=ANSWER_SECONDS, **details)

    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Client(url, headers=token.headers)


def _job(details: Any) -> Job:
    known = details.metadata or {}
    return Job(
        status=details.status.value,
        driver_exit_code=details.driver_exit_code,
        message=details.message or "",
        options=known.get(OPTIONS, ""),
        content=known.get(CONTENT, ""),
    )


def _last_line(error: BaseException) -> str:
    """A server that fails sends its traceback, whose last line says what it was."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip(" .")]
    return lines[-1] if lines else type(error).__name__


def _hint(error: BaseException) -> str:
    words = str(error).lower()
    if "token" in words or "401" in words or "403" in words:
        return HINT
    return "is it the address of a Ray dashboard, with ray[default] on the head?"
