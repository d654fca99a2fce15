"""`advorch cache`: what is stored, whether it is still what it was, and what can go."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from advorch.cli.render import Format, emit, say, suggest
from advorch.session.workspace import Workspace

if TYPE_CHECKING:
    from advorch.store.api import Finding, Store
    from advorch.store.manifest import Manifest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Storage = Annotated[
    str, typer.Option("--storage", metavar="URL", help="a folder or s3://bucket/prefix", show_default="the workspace's")
]
Output = Annotated[Format, typer.Option("-o", "--output", help="form of the data on stdout")]
SHOWN = 12
DAMAGED = 8


@app.command("list")
def list_(output: Output = Format.TABLE, storage: Storage = "") -> None:
    """List stored results, newest first."""
    rows = [_row(manifest) for manifest in _store(storage).manifests()]
    total = sum(row["size"] for row in rows)
    if output is Format.TABLE:
        rows = [row | {"key": row["key"][:SHOWN], "size": size(row["size"]), "age": age(row["age"])} for row in rows]
    emit(rows, ["key", "component", "size", "age", "run"], output)
    say(f"{len(rows)} results that name {size(total)}")


@app.command()
def verify(output: Output = Format.TABLE, storage: Storage = "") -> None:
    """Read every stored object and compare it with its digest; exits with 8 if something was damaged."""
    findings = list(_store(storage).verify())
    rows = [_finding_row(finding) for finding in findings]
    if output is Format.TABLE:
        rows = [
            {"digest": row["digest"][:SHOWN], "trouble": row["trouble"], "keys": _short(row["keys"])} for row in rows
        ]
    if rows or output is not Format.TABLE:
        emit(rows, ["digest", "trouble", "keys"], output)
    lost = {key for finding in findings for key in finding.keys}
    if not findings:
        say("everything stored is what it was")
        return
    say(f"set aside what is damaged; {_count(len(lost), 'result')} will be recomputed when needed")
    suggest("advorch pipeline run FILE")
    raise typer.Exit(DAMAGED)


@app.command()
def gc(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="forget results that are older, such as 30d")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    output: Output = Format.TABLE,
    storage: Storage = "",
) -> None:
    """Free what no stored result needs; runs in progress are not harmed."""
    limit = _seconds(older_than)
    keep = () if older_than else None
    swept = _store(storage).gc(keep, older_than=limit, dry=dry_run)
    row = {"results": swept.manifests, "objects": swept.objects, "bytes": swept.bytes, "dry_run": dry_run}
    if output is not Format.TABLE:
        emit([row], list(row), output)
    verb = "would free" if dry_run else "freed"
    results, objects = _count(swept.manifests, "result"), _count(swept.objects, "object")
    say(f"{verb} {size(swept.bytes)}: {results}, {objects}")


def size(count: int) -> str:
    """Bytes as a person says them: 12 B, 3.4 kB, 1.2 GB."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def age(seconds: float) -> str:
    """How long ago, in its largest unit: 40s, 12m, 5h, 3d."""
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def _store(storage: str) -> "Store":
    from advorch.store.opening import open_store

    return open_store(storage or Workspace.find().store_url)


def _row(manifest: "Manifest") -> dict[str, Any]:
    import time

    from advorch.store.reading import files_of

    files = {record.digest: record.size for record in files_of(manifest)}
    return {
        "key": manifest.key,
        "component": manifest.component,
        "size": sum(files.values()),
        "age": time.time() - manifest.created,
        "run": manifest.run,
        "created": manifest.created,
        "metrics": dict(manifest.metrics),
    }


def _finding_row(finding: "Finding") -> dict[str, Any]:
    return {"digest": finding.digest, "trouble": finding.trouble, "keys": list(finding.keys)}


def _short(keys: list[str]) -> list[str]:
    return [key[:SHOWN] for key in keys]


def _seconds(text: str) -> float:
    from advorch.errors import UsageError
    from advorch.spec.units import seconds

    found = seconds(text) if text else 0.0
    if found is None:
        raise UsageError(f"--older-than takes a time, not '{text}'", hint="such as 12h, 30d or 2w")
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
