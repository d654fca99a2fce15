"""File contents while a plan is built: read once, and what is missing is a problem at the place that names it."""

from collections.abc import Mapping

from advorch.canonical import canonical
from advorch.errors import AdvorchError
from advorch.params import expand
from advorch.plan.complaints import Complaint, Path
from advorch.plan.contents import Contents, Digests, contents, reads_files
from advorch.plan.keys import SourceDigest, name_paths
from advorch.plan.parameters import Checked, Report


class ContentCheck:
    """Without `digests` nothing is read, and a plan can be drawn but not run."""

    def __init__(self, digests: Digests | None, sources: SourceDigest) -> None:
        self._digests = digests
        self._known: dict[tuple[str, str], Contents] = {}
        self.sources: SourceDigest = sources if digests else _unread

    @property
    def reads(self) -> bool:
        """Whether keys can be made."""
        return self._digests is not None

    def nested(self, checked: Checked, report: Report) -> Mapping[str, Contents] | None:
        """Contents by the path of the parameters that name them; None after a problem."""
        found: dict[Path, Contents | None] = {
            path: self.read(item, report, path) for path, item in checked.everything() if reads_files(item)
        }
        if any(files is None for files in found.values()):
            return None
        return name_paths({path: files for path, files in found.items() if files})

    def read(self, checked: Checked, report: Report, path: Path = ()) -> Contents | None:
        """The contents behind one component's own parameters; None after a problem."""
        if self._digests is None or not reads_files(checked):
            return {}
        key = (checked.component.id, canonical(checked.plain))
        try:
            if key not in self._known:
                self._known[key] = contents(checked, self._digests)
        except (OSError, AdvorchError) as error:
            report("E317", _missing(checked, error, path))
            return None
        return self._known[key]


def _missing(checked: Checked, error: OSError | AdvorchError, path: Path) -> Complaint:
    if isinstance(error, AdvorchError):
        return Complaint(path, f"{checked.component.id}: {error.message}", error.hint)
    file = str(error.filename or "")
    named = next((place.path for place in checked.locations if file.startswith(str(expand(place.location)))), ())
    reason = error.strerror or str(error)
    reason = reason[:1].lower() + reason[1:]
    message = f"{checked.component.id} cannot read {file}: {reason}" if file else f"{checked.component.id}: {reason}"
    return Complaint((*path, *named), message, "put it there, or say where it is")


def _unread(_: object) -> str:
    return ""
