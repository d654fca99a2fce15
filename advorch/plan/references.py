"""What `in:`, `needs:` and a selection point at: `name.port`, `name[axis=value].port`, `name[*].port`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_REFERENCE = re.compile(
    r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_-]*)(?P<cells>\[(?P<selectors>[^\[\]]*)\])?(\.(?P<port>[A-Za-z0-9_][A-Za-z0-9_-]*))?"
)
_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference as written; `bracketed` tells `stage[*]` from `stage`."""

    text: str
    name: str
    port: str = ""
    selectors: Mapping[str, str] = field(default_factory=dict)
    glob: bool = False
    bracketed: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a cell with these axis labels is meant; unnamed axes are free only under `*`."""
        if not self.glob and set(self.selectors) != set(labels):
            return False
        return all(axis in labels and same_label(labels[axis], value) for axis, value in self.selectors.items())


def parse_reference(text: str) -> Reference | None:
    """Read a reference, or None where the text is no reference at all."""
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        return None
    parts = [part.strip() for part in (match["selectors"] or "").split(",")] if match["cells"] else []
    pairs = [part.partition("=") for part in parts if part != _ANY]
    if any(not (axis and equals and value) for axis, equals, value in pairs) or len({pair[0] for pair in pairs}) < len(
        pairs
    ):
        return None
    return Reference(
        text=text.strip(),
        name=match["name"],
        port=match["port"] or "",
        selectors={axis.strip(): value.strip() for axis, _, value in pairs},
        glob=_ANY in parts,
        bracketed=bool(match["cells"]),
    )


def same_label(label: str, written: str) -> bool:
    """Labels are compared as text, and as numbers where both are: `1e-3` means the cell `0.001`."""
    if label == written:
        return True
    try:
        return float(label) == float(written)
    except ValueError:
        return False


def address(stage: str, labels: Mapping[str, str]) -> str:
    """The name of a cell: its stage, and one label an axis in the order of the file."""
    inner = ",".join(f"{axis}={label}" for axis, label in labels.items())
    return f"{stage}[{inner}]" if inner else stage
