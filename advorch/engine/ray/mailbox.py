"""Messages from workers to the driver, held by a small actor that takes no CPU."""

import contextlib
from collections import defaultdict
from typing import Any

from advorch.engine.channel import Message, PostingChannel


class Mailbox:
    """Letters by cell, in order of arrival."""

    def __init__(self) -> None:
        self._letters: dict[str, list[Message]] = defaultdict(list)

    def post(self, cell: str, messages: list[Message]) -> None:
        """Leave messages for a cell."""
        self._letters[cell].extend(messages)

    def ping(self) -> None:
        """Show that the driver's process is there."""

    def drain(self, cell: str) -> list[Message]:
        """Take what has arrived."""
        return self._letters.pop(cell, [])


class Posting:
    """The worker's end: posts without waiting, and waits once at the end so that nothing is left behind."""

    def __init__(self, mailbox: Any, cell: str) -> None:
        self._mailbox = mailbox
        self._cell = cell
        self._last: Any = None
        self.channel = PostingChannel(self._post)

    def _post(self, message: Message) -> None:
        self._last = self._mailbox.post.remote(self._cell, [message])

    def flush(self) -> None:
        """Wait until the last message has arrived; the ones before it have then, too."""
        import ray

        if self._last is not None:
            with contextlib.suppress(ray.exceptions.RayError):  # a lost message costs a line on the screen
                ray.get(self._last)
