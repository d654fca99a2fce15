"""Die at every durable operation in turn; whoever comes next ends with the same store as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from advorch.artifacts import ArtifactType, Output
from advorch.store.content import ContentStore
from advorch.store.layout import TEMPORARY

KEY = "ab" * 32


def work(store: ContentStore, folder: Path, owner: object) -> None:
    """What an engine does for one key: claim, look, compute by chunks, commit, tidy up."""
    with store.claim(KEY, owner, wait=True, stopping=lambda: False):
        if store.manifest(KEY) is not None:
            return
        partials = store.partials(KEY)
        for index in range(2):
            if f"{index:04}" not in partials.names():
                chunk = folder / f"chunk-{index}"
                chunk.write_text(f"rows {index}")
                partials.commit(f"{index:04}", {"rows": chunk}, {"index": index})
        output = folder / "output"
        output.mkdir(exist_ok=True)
        (output / "weights").write_text("weights")
        artifact = store.put_output(Output(type=ArtifactType.MODEL, folder=output))
        store.commit(manifest_of(artifact))
        partials.drop()


def manifest_of(artifact):
    from advorch.store.manifest import Manifest

    return Manifest(key=KEY, parts={"a": 1}, component="c", outputs={"model": artifact}, created=1.0)


# One interpreter forks a child for every place to die at: starting one for each would take most of the time.
ENUMERATE = """
import json, os, sys
from pathlib import Path
from advorch.store.api import Owner
from advorch.store.local import LocalStore
sys.path.insert(0, sys.argv[1])
from test_store_crash import work, state

OWNER = Owner(run="r", host="h", pid=1, started=0.0)

def run(folder, die_at):
    count = 0
    def hook(name):
        nonlocal count
        count += 1
        if count == die_at:
            os._exit(17)
    (folder / "attempt").mkdir(parents=True, exist_ok=True)
    work(LocalStore(folder / "store", on_durable=hook, interval=30.0), folder / "attempt", OWNER)
    return count

def in_child(folder, die_at):
    pid = os.fork()
    if pid == 0:
        run(folder, die_at)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

root, report = Path(sys.argv[2]), []
undisturbed = run(root / "undisturbed", 0)
for n in range(1, undisturbed + 1):
    folder = root / str(n)
    died, done = in_child(folder, n), in_child(folder, 0)
    report.append([died, done, state(LocalStore(folder / "store", grace=0.0))])
print(json.dumps({"expected": state(LocalStore(root / "undisturbed/store", grace=0.0)), "report": report}))
"""


def state(store: ContentStore) -> list[object]:
    """All that counts as content, once gc has freed what a finished key needs no more."""
    store.gc()
    manifest = store.manifest(KEY)
    return [
        manifest.plain() if manifest else None,
        sorted(entry.name for entry in store._objects.entries()),
        store.partials(KEY).names(),
        [finding.trouble for finding in store.verify()],
        store._records.exists(f"claims/{KEY}.json"),
    ]


def test_killed_at_any_durable_operation_the_next_process_completes(tmp_path):
    command = [sys.executable, "-W", "error", "-c", ENUMERATE, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert len(outcome["report"]) >= 14
    assert outcome["expected"][0] is not None
    for died, completed, ended in outcome["report"]:
        assert (died, completed) == (17, 0)
        assert ended == outcome["expected"]


def test_what_a_kill_left_in_the_temporary_folder_is_freed_by_gc(local):
    store = local.open(grace=0.0)
    junk = Path(local.url) / TEMPORARY / "1-dead"
    junk.parent.mkdir(parents=True)
    junk.write_text("half a file")
    assert store.gc(dry=True).bytes == len("half a file")
    assert store.gc().bytes == len("half a file")
    assert not junk.exists()


def test_a_bucket_interrupted_before_any_durable_operation_is_completed(s3):
    """In one process, with an exception for a kill: what follows must not depend on the clean-up."""

    class Killed(BaseException):
        pass

    def run(prefix: str, die_at: int) -> int:
        count = 0

        def hook(name: str) -> None:
            nonlocal count
            count += name.endswith("before")
            if count == die_at:
                raise Killed

        folder = s3.folder / "attempt"
        folder.mkdir(exist_ok=True)
        work(s3.open(on_durable=hook, below=prefix), folder, s3.owner)
        return count

    total = run("undisturbed", 0)
    expected = state(s3.open(grace=-5.0, below="undisturbed"))
    assert expected[0] is not None
    assert total >= 10
    for n in range(1, total + 1):
        with pytest.raises(Killed):
            run(str(n), n)
        s3.open(below=str(n))._records.delete(f"claims/{KEY}.json")  # our process lives: only time would free it
        run(str(n), 0)
        assert state(s3.open(grace=-5.0, below=str(n))) == expected
