"""libyaml's parser events with types, and no more of PyYAML than that."""

from collections.abc import Callable
from typing import Protocol, cast

from yaml import events
from yaml.cyaml import CParser  # type: ignore[attr-defined]


class Point(Protocol):
    """A position that counts from zero."""

    line: int
    column: int


class Event(Protocol):
    """What libyaml tells; each kind of event has some of it."""

    start_mark: Point
    end_mark: Point
    anchor: str
    tag: str | None
    value: str
    implicit: tuple[bool, bool]
    flow_style: bool


# as plain types: an event is told by its exact class
ALIAS: type = events.AliasEvent
SCALAR: type = events.ScalarEvent
LIST: type = events.SequenceStartEvent
LIST_END: type = events.SequenceEndEvent
MAP_END: type = events.MappingEndEvent
STREAM_END: type = events.StreamEndEvent


def events_of(text: str) -> Callable[[], Event]:
    """A function that gives the next event of a text; raises yaml.YAMLError."""
    return cast("Callable[[], Event]", CParser(text).get_event)
