import re
from html.parser import HTMLParser

from advorch.kit.evaluation.figures import accuracy_bars
from advorch.kit.evaluation.findings import Look, Table
from advorch.kit.evaluation.report import render
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
    pictures = {f'"{EVIL}': picture, f"{EVIL}: {EVIL}": picture}
    tables = {EVIL: table, f"open {EVIL}": table, f"folded {EVIL}": Table(("a",), ((EVIL,),), EVIL, Look(folded=True))}
    return render(EVIL, kind=EVIL, introduction=[EVIL], notes=[EVIL], tables=tables, pictures=pictures)


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(text)
    return parser.seen


def test_text_from_outside_is_escaped_everywhere() -> None:
    text = page()
    assert "script" not in {tag for tag, _ in elements(text)}
    assert text.count("&lt;script&gt;") == 22


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
    for reference in ("aria-labelledby", "aria-describedby"):
        named = {attributes[reference] for _, attributes in seen if reference in attributes}
        assert named
        assert named <= {attributes.get("id") for _, attributes in seen}
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_light_and_dark_are_both_styled() -> None:
    text = page()
    assert "prefers-color-scheme: dark" in text
    assert 'content="light dark"' in text


def test_the_first_table_stands_above_the_notes_and_folded_ones_at_the_end() -> None:
    tables = {name: Table(("a",), ((1,),), look=Look(folded=name == "deep")) for name in ("top", "deep", "middle")}
    text = render("t", notes=["a note"], tables=tables)
    places = [text.index(words) for words in (">top<", "a note", ">middle<", "<details>", ">deep<")]
    assert places == sorted(places)


def test_figures_stand_under_what_they_are_of() -> None:
    picture = accuracy_bars(["a"], {"a": [Proportion(1, 2)]}, "class")
    text = render("t", pictures={"By class: one": picture, "All": picture, "Samples: one": picture})
    assert text.count("<h2") == 2
    places = [text.index(words) for words in (">Figures<", ">All<", ">one<", ">By class<", ">Samples<")]
    assert places == sorted(places)
    assert 'alt="Samples: one"' in text
