"""A manifest: what a key produced. Its existence is what "done" means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advorch.artifacts import Artifact, check_format
from advorch.canonical import Json

FORMAT = "manifest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The committed result of one action key."""

    key: str
    parts: Mapping[str, Json]
    component: str
    outputs: Mapping[str, Artifact]
    metrics: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Json] = field(default_factory=dict)
    seed: int = 0
    environment: Mapping[str, Json] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    run: str = ""
    created: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__} | {"format": FORMAT}
        return record | {"outputs": {port: artifact.plain() for port, artifact in self.outputs.items()}}

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "Manifest":
        """Read back what `plain` wrote; a newer format than ours is refused."""
        check_format(plain["format"], "manifest", 1)
        values = {name: plain[name] for name in cls.__dataclass_fields__ if name in plain}
        outputs = {port: Artifact.parse(artifact) for port, artifact in plain["outputs"].items()}
        return cls(**(values | {"outputs": outputs}))
