"""The token that opens a cluster: where it is looked for, and how it is shown to a server."""

import os
from dataclasses import dataclass
from pathlib import Path

from advorch.errors import InfrastructureError

VALUE, PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
DEFAULT = "~/.ray/auth_token"
PRIVATE = "adv-"  # how the folders of our private clusters begin
HINT = f"give this machine the cluster's token: {PATH}=<file that only you can read>, or {VALUE}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it came from; the value is never shown."""

    source: str
    value: str = ""

    def __repr__(self) -> str:
        return f"Token({self.source!r})"

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries; without a token, nothing."""
        return {"authorization": f"Bearer {self.value}"} if self.value else {}

    def refused_by(self, server: str) -> InfrastructureError:
        """The one line for a server that does not let us in."""
        if not self.value:
            return InfrastructureError(f"{server} wants a token, and none is set here", hint=HINT)
        return InfrastructureError(f"{server} refuses the token of {self.source}", hint=HINT)


def find_token() -> Token:
    """The token where Ray looks for it, in Ray's order."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return Token("RAY_AUTH_MODE=disabled")
    if os.environ.get(VALUE):
        return Token(VALUE, os.environ[VALUE].strip())
    named = "" if is_private() else os.environ.get(PATH, "")
    path = Path(named or DEFAULT).expanduser()
    if path.is_file():
        return Token(str(path), _read(path))
    if named:
        raise InfrastructureError(f"there is no token in {path}, which {PATH} names", hint=HINT)
    return Token("nowhere")


def is_private() -> bool:
    """Whether the environment names the token of a private cluster of ours, which opens no other."""
    return Path(os.environ.get(PATH, "")).parent.name.startswith(PRIVATE)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InfrastructureError(f"the token in {path} cannot be read: {error}", hint=HINT) from error
