"""Fixtures that every test may use."""

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """A shell that starts us in the background has interrupts ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def data_folder() -> Path:
    """The folder of data sets named by ADVORCH_DATA; what needs it is skipped, loudly, where it is missing."""
    root = os.environ.get("ADVORCH_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("ADVORCH_DATA does not name a data folder: this test needs real data sets")
    return Path(root)
