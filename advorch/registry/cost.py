"""What it costs everybody that a plugin is installed: measured alone, in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from advorch.errors import PluginError
from advorch.registry.plugin import Plugin

_TIMEOUT = 120.0
_PROGRAM = """
import json
from advorch.registry.discovery import discover
print(json.dumps([[plugin.name, plugin.seconds, plugin.heavy] for plugin in discover().plugins]))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds to import a plugin and ask for its components, and the heavy libraries that came along."""

    seconds: float
    heavy: tuple[str, ...]


def measure(plugin: Plugin, installed: Iterable[Plugin]) -> Cost:
    """Discover this plugin and no other."""
    others = [f"{one.distribution}:{one.entry_point}" for one in installed if one.name != plugin.name]
    environment = {
        **os.environ,
        "ADVORCH_NO_PLUGINS": ",".join(others),
        "ADVORCH_STRICT_PLUGINS": "0",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if done.returncode:
        raise PluginError(f"discovery ended with {done.returncode}: {(done.stderr.splitlines() or [''])[-1]}")
    costs = {name: Cost(seconds, tuple(heavy)) for name, seconds, heavy in json.loads(done.stdout.splitlines()[-1])}
    return costs[plugin.name]
