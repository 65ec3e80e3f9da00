"""The page of results as text: verdicts in words, figures as whole SVG, and hostile names that stay text."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from tests.report.test_render import HOSTILE, Page

from rote.figures import Figure
from rote.report.dots import AXIS, LABEL_LETTERS, LEFT, DotPanel, DotRow, draw_dots
from rote.report.results_page import (
    ClaimLine,
    ClaimList,
    ExperimentSection,
    ResultsContent,
    ResultTable,
    ShortLine,
    StatePlane,
    render_results,
)
from rote.report.scatter import ScatterPoint

ROWS = (
    DotRow("3 epochs", Figure(0.25, 0.2, 0.31, 100), 0.35),
    DotRow("20 epochs", Figure(0.9, 0.85, 0.95, 100), 0.98),
    DotRow("no prompts", None),
)
OURS, BARE = Figure(0.65, 0.58, 0.72, 0), Figure(0.65, 0.65, 0.65, 0)
CLAIM = ClaimLine(
    key=("depth", "deeper"),
    model="rote-tiny",
    text="Deeper is better",
    paper="0.98 - 0.35",
    ours=OURS,
    made_of="0.900 - 0.250",
    bound=">= 0.7",
    size="3 seeds",
    verdict="open",
    why="It is a small model.",
)


def build_section(name: str = "Depth", *, paper: bool = True) -> ExperimentSection:
    """A section with something in every part, named `name` throughout."""
    rows = ROWS if paper else tuple(replace(row, paper=None) for row in ROWS)
    return ExperimentSection(
        title=name,
        description=name,
        seeds=3,
        command=name,
        claims=(
            replace(CLAIM, text=name, paper=name, why=name),
            replace(CLAIM, key=("depth", "bare"), verdict="holds", ours=BARE),
        ),
        panels=(DotPanel(name, (*rows, replace(rows[0], run=name))),),
        planes=(StatePlane(name, "memorize", (ScatterPoint(name, "key", 0, 0), ScatterPoint("b", "held_out", 1, 2))),),
        tables=(ResultTable(("", name), ((name, "0.900 [0.850, 0.950] (100)"),)),),
    )


def render(*sections: ExperimentSection) -> str:
    return render_results(ResultsContent(("rote-tiny",), sections, ("two_hop",)))


def find_drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)]


def test_the_page_says_claims_verdicts_and_figures_in_words() -> None:
    text = " ".join(" ".join(Page(render(build_section())).text).split())

    for part in ("Verdicts: holds 1 · open 1", "✓ holds", "~ open", "0.650 [0.580, 0.720]", "≥ 0.7", "two_hop"):
        assert part in text
    for part in ("the paper, Qwen2.5-1.5B", "Depth, after memorize", "0.900 [0.850, 0.950] (100)", "3 seeds"):
        assert part in text


def test_a_claim_that_several_models_were_asked_is_one_line() -> None:
    theirs = replace(CLAIM, model="another", ours=BARE, verdict="holds", size="1 seed")
    sections = (replace(build_section(), claims=(CLAIM,)), replace(build_section("Theirs"), claims=(theirs,)))
    html = render_results(ResultsContent(("rote-tiny", "another"), sections))
    (line,) = re.findall(r"<tr><th scope=\"row\"><bdi>Deeper is better.*?</tr>", html, flags=re.DOTALL)
    said = [part for part in Page(line).text if part.strip()]
    assert said.index("0.650") < said.index("0.900 - 0.250") < said.index("~ open") < said.index("✓ holds")
    assert 'href="#experiment-1"' in line
    assert 'href="#experiment-2"' in line
    (alone,) = re.findall(
        r"<td class=\"none\".*?</td>", render_results(ResultsContent(("rote-tiny", "b"), sections[:1]))
    )
    assert 'data-name="b"' in alone


def test_a_figure_without_an_interval_has_no_brackets() -> None:
    section = replace(build_section(), claims=(replace(CLAIM, ours=BARE),))
    assert "[0.650" not in render(section)


def test_the_paper_has_a_mark_of_its_own_and_only_where_it_has_figures() -> None:
    with_paper, without = render(build_section()), render(build_section(paper=False))

    assert with_paper.count('<path class="paper"') == 1 + 2 * 3  # the legend, then a mark and its figure for each row
    assert '<path class="paper"' not in without
    assert "the paper, Qwen2.5-1.5B" not in without


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    short, group = ShortLine("Holds on none", name), ClaimList(name, (name,))
    page = Page(render_results(ResultsContent((name,), (build_section(name),), (name,), (short,), (group,))))

    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not {"img", "b7", "iframe"} & set(page.tags)
    assert all(not attribute.startswith("on") for attribute, _ in page.attributes)
    assert "49" not in page.text


@pytest.mark.parametrize("name", ["Depth", *HOSTILE])
def test_every_drawing_is_whole_xml(name: str) -> None:
    drawings = find_drawings(render(build_section(name)))
    assert len(drawings) == 4  # two in the legend, the panel, the plane


def test_the_page_asks_for_nothing_from_outside() -> None:
    html = render(build_section(), build_section("Methods"))
    attributes = Page(html).attributes
    links = [value for name, value in attributes if name in ("href", "src")]

    assert {link.split("-")[0] for link in links} == {"data:,", "#experiment"}
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert any(value.startswith("default-src 'none'; style-src 'sha256-") for _, value in attributes)


def test_links_lead_to_their_experiments() -> None:
    page = Page(render(build_section(), build_section("Methods")))
    ids = {value for name, value in page.attributes if name == "id"}
    assert {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")} <= ids


def test_the_same_content_is_the_same_page_and_a_page_without_claims_is_whole() -> None:
    section = ExperimentSection("Bare", "Nothing yet.", 1, "rote reproduce bare")
    assert render(section) == render(section)
    assert "None of the finished experiments makes a claim." in " ".join(Page(render(section)).text)


def test_a_dot_stands_at_its_value_between_the_ends_of_its_whisker() -> None:
    root = ElementTree.fromstring(draw_dots(DotPanel("held-out", ROWS[:1])))
    dot, whisker = next(root.iter("circle")), next(line for line in root.iter("line") if line.get("class") == "whisker")

    assert float(dot.attrib["cx"]) == pytest.approx(LEFT + 0.25 * AXIS, abs=0.06)
    assert float(whisker.attrib["x1"]) == pytest.approx(LEFT + 0.2 * AXIS, abs=0.06)
    assert float(whisker.attrib["x2"]) == pytest.approx(LEFT + 0.31 * AXIS, abs=0.06)
    assert root.attrib["aria-label"] == "held-out: 3 epochs 0.25 [0.20, 0.31], n 100, paper 0.35"


def test_a_row_without_answers_says_so_and_has_no_dot() -> None:
    root = ElementTree.fromstring(draw_dots(DotPanel("held-out", ROWS[2:])))
    assert "not asked" in [text.text for text in root.iter("text")]
    assert not list(root.iter("circle"))


def test_a_long_name_is_wrapped_and_whole_in_the_title() -> None:
    name = "paraphrases and untouched facts of every relation, four epochs"
    root = ElementTree.fromstring(draw_dots(DotPanel("held-out", (DotRow(name, None),))))
    lines = [text.text or "" for text in root.iter("text") if text.get("class") == "label end"]

    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(len(line) <= LABEL_LETTERS for line in lines)
    assert (next(root.iter("title")).text or "").startswith(name)
