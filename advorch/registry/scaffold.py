"""Start a plugin from the one that is tested with advorch itself."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from advorch.errors import UsageError

_HERE = Path(__file__).parent
TEMPLATES = (_HERE / "template", _HERE.parent.parent / "plugins" / "advorch-example")  # in a wheel, in a checkout

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "dist", "build", ".*")
_TEXTS = {".py", ".toml", ".md"}


def new_plugin(name: str, into: Path) -> Path:
    """Copy the template as a distribution of this name; returns its folder."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a plugin", hint="lower-case words and digits, joined by '-'")
    target = into / name
    if target.exists():
        raise UsageError(f"{target} exists already", hint="choose another name, or --into another folder")
    shutil.copytree(_template(), target, ignore=_LEFT_BEHIND)
    words = replacements(name)
    for path in [path for path in target.rglob("*") if path.suffix in _TEXTS]:
        path.write_text(replaced(path.read_text(encoding="utf-8"), words), encoding="utf-8")
    (target / "advorch_example").rename(target / package_name(name))
    return target


def replacements(name: str) -> Mapping[str, str]:
    """The template's names, and what they become."""
    component = name.removeprefix("advorch-")
    return {"advorch-example": name, "advorch_example": package_name(name), "smoothed-pgd": component}


def package_name(name: str) -> str:
    """The import name of a distribution."""
    return name.replace("-", "_")


def replaced(text: str, words: Mapping[str, str]) -> str:
    """All words at once, so that no replacement is replaced again."""
    pattern = re.compile("|".join(map(re.escape, words)))
    return pattern.sub(lambda found: words[found.group()], text)


def _template() -> Path:
    found = next(_existing(), None)
    if found is None:
        raise UsageError("the plugin template is missing from this installation", hint="reinstall advorch")
    return found


def _existing() -> Iterator[Path]:
    return (path for path in TEMPLATES if (path / "pyproject.toml").is_file())
