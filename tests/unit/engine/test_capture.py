"""What a stage prints."""

import logging
import sys
import threading

import pytest

from advorch.engine.capture import captured


def test_prints_and_records_arrive_line_by_line() -> None:
    lines: list[str] = []
    with captured(lines.append):
        print("one\ntwo")
        print("err", file=sys.stderr)
        logging.getLogger("lib").warning("careful")
        sys.stdout.write("unfinished")
    assert lines == ["one", "two", "err", "WARNING lib: careful", "unfinished"]


def test_a_receiver_that_prints_does_not_hear_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with captured(lambda line: print("heard", line)):
        print("once")
    assert capsys.readouterr().err == "heard once\n"


def test_streams_come_back_after_an_error() -> None:
    before = sys.stdout, sys.stderr, list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="no"), captured(lambda line: None):
        raise ValueError("no")
    assert (sys.stdout, sys.stderr, list(logging.getLogger().handlers)) == before


def test_threads_of_a_stage_lose_no_line() -> None:
    lines: list[str] = []

    def chat(name: int) -> None:
        for number in range(50):
            print(f"{name} {number}")

    with captured(lines.append):
        threads = [threading.Thread(target=chat, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    spoken = " ".join(lines).split()
    assert len(spoken) == 2 * 4 * 50
