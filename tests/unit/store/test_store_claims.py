"""Claims whose owners die, stall or lose them."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from advorch.errors import Claimed, StoreError
from advorch.processes import birth
from advorch.store import claims as claiming
from advorch.store.api import Owner
from advorch.store.backend import Seen
from advorch.store.claims import Claims, decode, new_claim
from advorch.store.folder import FolderRecords
from advorch.store.layout import claim_name
from advorch.store.local import LocalStore

KEY = "ab" * 32
NAME = claim_name(KEY)
OWNER = Owner(run="run-7", host="far", pid=99, started=0.0)

HOLDER = """
import sys, time
from pathlib import Path
from advorch.store.api import Owner
from advorch.store.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
with store.claim(sys.argv[2], Owner(run="victim", host="here", pid=1, started=0.0), wait=True, stopping=lambda: False):
    print("held", flush=True)
    time.sleep(60)
"""

RACER = """
import os, sys, time
from pathlib import Path
from advorch.artifacts import Artifact, ArtifactType
from advorch.store.api import Owner
from advorch.store.local import LocalStore
from advorch.store.manifest import Manifest
root, key = Path(sys.argv[1]), sys.argv[2]
store = LocalStore(root / "store")
print("ready", flush=True)
sys.stdin.readline()
with store.claim(key, Owner(run="r", host="h", pid=1, started=0.0), wait=True, stopping=lambda: False):
    if store.manifest(key) is None:
        (root / f"computed-{os.getpid()}").touch()
        time.sleep(0.3)
        store.commit(Manifest(key=key, parts={}, component="c", outputs={}, seed=os.getpid()))
print(store.manifest(key).seed, flush=True)
"""


def never() -> bool:
    return False


def hold_briefly(store: LocalStore) -> None:
    with store.claim(KEY, OWNER, wait=False, stopping=never):
        pass


def write_claim(root: Path, *, age: float = 0.0, **changes: object) -> None:
    FolderRecords(root).create(NAME, replace(new_claim(OWNER, 2.0), **changes).encode())
    then = time.time() - age
    os.utime(root / NAME, (then, then))


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_killed_owner_is_taken_over_at_once(tmp_path, caplog):
    with start(HOLDER, tmp_path, KEY) as child:
        assert child.stdout.readline() == "held\n"
        store = LocalStore(tmp_path)
        with pytest.raises(Claimed, match="run victim"):
            hold_briefly(store)
        child.send_signal(signal.SIGKILL)
        before = time.monotonic()
        while birth(child.pid):  # a zombie counts as dead: nobody has waited for the child yet
            assert time.monotonic() - before < 5
            time.sleep(0.01)
        hold_briefly(store)
        assert time.monotonic() - before < 5
    assert "took over from run victim" in caplog.text


def test_of_two_processes_exactly_one_computes(tmp_path):
    racers = [start(RACER, tmp_path, KEY) for _ in range(2)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    seeds = {racer.communicate(timeout=30)[0].strip() for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(list(tmp_path.glob("computed-*"))) == 1
    assert seeds == {next(iter(tmp_path.glob("computed-*"))).name.removeprefix("computed-")}


def test_a_reused_process_id_is_not_the_owner(tmp_path):
    write_claim(tmp_path, pid=os.getpid(), birth="before us")
    hold_briefly(LocalStore(tmp_path))


def test_a_process_of_another_host_is_judged_by_its_heartbeat_alone(tmp_path):
    write_claim(tmp_path, place="far", pid=2**22 + 1, birth="x", age=9.0)
    with pytest.raises(Claimed, match=r"run run-7 \(process 99 on far\)"):
        hold_briefly(LocalStore(tmp_path))
    (tmp_path / NAME).unlink()
    write_claim(tmp_path, place="far", pid=2**22 + 1, birth="x", age=11.0)
    hold_briefly(LocalStore(tmp_path))


def test_the_owners_own_interval_counts(tmp_path):
    write_claim(tmp_path, place="far", interval=60.0, age=200.0)
    with pytest.raises(Claimed):
        hold_briefly(LocalStore(tmp_path, interval=0.1))


def test_only_the_stores_clock_counts(tmp_path, monkeypatch):
    write_claim(tmp_path, place="far", age=3.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    with pytest.raises(Claimed):
        hold_briefly(LocalStore(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": "claim/9"}', b'{"token": 1, "owner": {}}', b"[1]"])
def test_an_unreadable_claim_is_freed_by_age_only(tmp_path, content):
    store = LocalStore(tmp_path)
    FolderRecords(tmp_path).create(NAME, content)
    with pytest.raises(Claimed, match="another run"):
        hold_briefly(store)
    os.utime(tmp_path / NAME, (0, 0))
    hold_briefly(store)


def test_of_many_thieves_one_wins(kit):
    """All examine the same dead claim; compare-and-swap lets one replace it."""
    records = kit.open()._records
    assert records.create(NAME, b"dead")
    seen = records.peek(NAME)
    together, won = threading.Barrier(5), []

    def steal(number: int) -> None:
        together.wait()
        if records.swap(NAME, seen, f"thief {number}".encode()):
            won.append(number)

    thieves = [threading.Thread(target=steal, args=(number,)) for number in range(5)]
    for thief in thieves:
        thief.start()
    for thief in thieves:
        thief.join()
    assert len(won) == 1
    assert records.peek(NAME).data == f"thief {won[0]}".encode()


def test_a_thief_who_looked_before_the_last_beat_gets_nothing(kit):
    records = kit.open()._records
    claim = new_claim(OWNER, 2.0)
    records.create(NAME, claim.encode())
    seen = records.peek(NAME)
    renewed = records.renew(NAME, seen, replace(claim, beat=1).encode())
    assert not records.swap(NAME, seen, b"thief")
    assert not records.remove(NAME, seen)
    assert decode(records.peek(NAME)) == replace(claim, beat=1)
    assert records.remove(NAME, renewed)
    assert records.peek(NAME) is None


def test_losing_a_claim_is_told_and_the_new_owners_is_left_alone(kit, caplog):
    store = kit.open(interval=0.05)
    records = store._records
    with store.claim(KEY, kit.owner, wait=True, stopping=never):
        thief = new_claim(replace(OWNER, run="thief"), 2.0)
        while not records.swap(NAME, records.peek(NAME), thief.encode()):
            pass
        time.sleep(0.2)
    assert "another run took the claim" in caplog.text
    assert decode(records.peek(NAME)).owner.run == "thief"


def test_a_claim_that_vanished_is_made_again(kit, caplog):
    store = kit.open(interval=0.05)
    with store.claim(KEY, kit.owner, wait=True, stopping=never):
        store._records.delete(NAME)
        until = time.monotonic() + 5
        while store._records.peek(NAME) is None and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(Claimed):
            kit.open().claim(KEY, kit.owner, wait=False, stopping=never).__enter__()
    assert "another run took" not in caplog.text
    assert store._records.peek(NAME) is None


def test_a_heartbeat_outlives_a_store_that_fails_for_a_while(tmp_path, caplog):
    class Flaky(FolderRecords):
        failures = 2

        def renew(self, name: str, seen: Seen, data: bytes) -> Seen | None:
            if self.failures:
                self.failures -= 1
                raise StoreError("the network is away")
            return super().renew(name, seen, data)

    records = Flaky(tmp_path)
    with Claims(records, 0.02).hold(KEY, OWNER, wait=True, stopping=never):
        until = time.monotonic() + 5
        while decode(records.peek(NAME)).beat < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert decode(records.peek(NAME)).beat >= 4
    assert caplog.text.count("the network is away") == 2
    assert "another run took" not in caplog.text


def test_a_claim_that_cannot_be_given_back_does_not_hide_the_works_own_error(tmp_path, caplog):
    class Refusing(FolderRecords):
        def remove(self, name: str, seen: Seen) -> bool:
            raise StoreError("the network is away")

    with pytest.raises(ZeroDivisionError), Claims(Refusing(tmp_path)).hold(KEY, OWNER, wait=True, stopping=never):
        raise ZeroDivisionError
    assert "will expire" in caplog.text


def test_waiting_is_told_once_with_the_holders_name(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    store = LocalStore(tmp_path, interval=0.05)
    polls = iter(range(10))
    with store.claim(KEY, OWNER, wait=True, stopping=never):
        waiting = store.claim(KEY, OWNER, wait=True, stopping=lambda: next(polls) == 9)
        with pytest.raises(Exception, match="stopped while waiting"):
            waiting.__enter__()
    assert caplog.text.count("waiting for run run-7") == 1


def test_gc_removes_the_claims_of_the_dead_and_keeps_those_of_the_living(tmp_path):
    store = LocalStore(tmp_path, grace=0.0)
    write_claim(tmp_path, birth="before us", age=60.0)
    with store.claim("cd" * 32, OWNER, wait=True, stopping=never):
        store.gc()
        assert [path.stem for path in (tmp_path / "claims").iterdir()] == ["cd" * 32]


def test_birth_knows_the_living_from_the_dead():
    assert birth(os.getpid()) == birth(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert birth(child.pid) not in (None, birth(os.getpid()))
    assert birth(child.pid) is None


def test_birth_can_be_asked_of_ps(monkeypatch):
    from advorch import processes

    answers = {"1": "Ss   Mon Jan  5 10:00:00 2026\n", "2": "Z+   Mon Jan  5 10:00:00 2026\n", "3": ""}

    def answer(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 0, stdout=answers[command[-1]])

    monkeypatch.setattr(subprocess, "run", answer)
    assert [processes._birth_by_ps(pid) for pid in (1, 2, 3)] == ["Mon Jan  5 10:00:00 2026", None, None]


def test_a_claim_says_whose_it_is_in_json(tmp_path):
    with LocalStore(tmp_path).claim(KEY, OWNER, wait=True, stopping=never):
        plain = json.loads((tmp_path / NAME).read_bytes())
    assert plain["format"] == claiming.FORMAT
    assert plain["owner"] == {"run": "run-7", "host": "far", "pid": 99, "started": 0.0}
    assert plain["pid"] == os.getpid()
