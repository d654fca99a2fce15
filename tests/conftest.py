"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def data_folder() -> Path:
    """The folder of data sets named by ADVORCH_DATA; what needs it is skipped, loudly, where it is missing."""
    root = os.environ.get("ADVORCH_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("ADVORCH_DATA does not name a data folder: this test needs real data sets")
    return Path(root)
