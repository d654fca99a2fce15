"""A worker ends with the run that hired it, also where Ray cannot see to that because its head is gone."""

import os
import threading
import time
from typing import Any

LOOK_SECONDS = 5.0
PATIENCE = 20.0  # less than the driver has with the head, so that who goes on from the store finds nobody at work


def end_with(mailbox: Any) -> None:
    """Look after the mailbox, which is lost only with the driver, for as long as this process lives."""
    threading.Thread(target=_watch, args=(mailbox,), daemon=True, name="orphan").start()


def _watch(mailbox: Any) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < PATIENCE:
        time.sleep(LOOK_SECONDS)
        if _answers(mailbox):
            heard = time.monotonic()
    os._exit(1)


def _answers(mailbox: Any) -> bool:
    import ray

    try:
        ray.get(mailbox.ping.remote(), timeout=LOOK_SECONDS)
    except ray.exceptions.RayError:
        return False
    return True
