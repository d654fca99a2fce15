import re
from html.parser import HTMLParser

from advorch.kit.evaluation.figures import accuracy_bars
from advorch.kit.evaluation.findings import Table
from advorch.kit.evaluation.report import render, shown
from advorch.kit.evaluation.statistics import Proportion

EVIL = "<script>alert('x')</script>"


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def page() -> str:
    table = Table(("class", EVIL, "share"), ((EVIL, 1, 0.25), ("b", None, 0.5)), f"caption {EVIL}")
    picture = accuracy_bars([EVIL, "$x_1$"], {"a": [Proportion(1, 2), None]}, "class")
    return render(EVIL, introduction=[EVIL], notes=[EVIL], tables={EVIL: table}, pictures={f'"{EVIL}': picture})


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(text)
    return parser.seen


def test_text_from_outside_is_escaped_everywhere() -> None:
    text = page()
    assert "script" not in {tag for tag, _ in elements(text)}
    assert text.count("&lt;script&gt;") == 10


def test_the_page_is_the_same_twice() -> None:
    assert page() == page()


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page()
    assert not re.search(r"https?:|//\w", re.sub(r"base64,[\w+/=]+", "", text))
    for tag, attributes in elements(text):
        assert tag not in {"link", "iframe", "script", "a"}
        assert (attributes.get("src") or "data:").startswith("data:")
        assert not [name for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in text


def test_tables_and_figures_are_accessible() -> None:
    seen = elements(page())
    assert ("html", {"lang": "en"}) in seen
    assert all(attributes.get("alt") for tag, attributes in seen if tag == "img")
    assert {attributes.get("scope") for tag, attributes in seen if tag == "th"} == {"col", "row"}
    assert any(tag == "caption" for tag, _ in seen)
    named = {attributes["aria-labelledby"] for _, attributes in seen if "aria-labelledby" in attributes}
    assert named <= {attributes.get("id") for _, attributes in seen}


def test_light_and_dark_are_both_styled() -> None:
    text = page()
    assert "prefers-color-scheme: dark" in text
    assert 'content="light dark"' in text


def test_values_are_shown_as_readers_want_them() -> None:
    assert [shown(value) for value in (None, 0.5, 3, True, "x")] == ["", "0.5000", "3", "yes", "x"]
