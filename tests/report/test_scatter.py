"""The scatter plot: whole XML whatever the names, and readable without colour."""

import math
import re
from xml.etree import ElementTree

import pytest
from tests.report.test_render import HOSTILE

from rote.report.scatter import FILLINGS, PLOT_HEIGHT, SHAPES, WIDTH, ScatterPoint, draw_scatter

KINDS = ("key token", "training prompts", "held-out prompts", "control prompts")


def build_points(groups: tuple[str, ...] = ("author", "mother"), kinds: tuple[str, ...] = KINDS) -> list[ScatterPoint]:
    return [
        ScatterPoint(group, kind, 10.0 * number + step, 5.0 * other - step)
        for number, group in enumerate(groups)
        for other, kind in enumerate(kinds)
        for step in (0.0, 1.0)
    ]


def read_starts(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)", path)]


def test_groups_differ_in_shape_and_letter_and_kinds_in_filling() -> None:
    root = ElementTree.fromstring(draw_scatter(build_points(), "States"))
    marks = {path[0].text: path for path in root.iter("path") if len(path)}
    texts = [text.text for text in root.iter("text")]

    assert len({marks[f"author, {kind}"].attrib["class"] + marks[f"author, {kind}"].attrib["d"] for kind in KINDS}) == 4
    assert marks["author, key token"].attrib["class"] == "mark"
    assert marks["author, control prompts"].attrib["class"] == "mark open"
    assert SHAPES[0][2] in marks["author, key token"].attrib["d"]
    assert SHAPES[1][2] in marks["mother, key token"].attrib["d"]
    assert texts.count("A") == texts.count("B") == 1 + len(KINDS)
    assert {"author", "mother", *KINDS} <= set(texts)
    assert root.attrib["aria-label"] == "States"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    drawing = draw_scatter(build_points((name, "mother"), (name, "key")), name)
    tags = {element.tag for element in ElementTree.fromstring(drawing).iter()}

    assert tags == {"svg", "g", "path", "circle", "text", "title"}
    assert "<script" not in drawing
    assert all(
        "on" + event not in element.attrib
        for element in ElementTree.fromstring(drawing).iter()
        for event in ("error", "mouseover")
    )


@pytest.mark.parametrize("stretch", [(1e-6, 1e6), (1e6, 1.0), (0.0, 1.0), (0.0, 0.0)])
def test_all_points_are_inside_the_plot(stretch: tuple[float, float]) -> None:
    points = [ScatterPoint("a", "key", x * stretch[0] + 3, y * stretch[1] - 4) for x in (0, 1) for y in (0, 1)]
    root = ElementTree.fromstring(draw_scatter(points, "States"))
    (marks,) = (path for path in root.iter("path") if len(path) and path[0].text == "a, key")

    assert len(read_starts(marks.attrib["d"])) == 4
    assert all(0 < x < WIDTH and 0 < y < PLOT_HEIGHT for x, y in read_starts(marks.attrib["d"]))


def test_a_letter_stands_on_a_mark() -> None:
    points = [ScatterPoint("a", "key", x, 0) for x in (0, 1, 10)]
    root = ElementTree.fromstring(draw_scatter(points, "States"))
    marks = read_starts(next(path for path in root.iter("path") if len(path)).attrib["d"])

    assert float(next(root.iter("circle")).attrib["cx"]) == pytest.approx(marks[1][0] + 4.5, abs=0.11)


def test_both_axes_have_one_scale() -> None:
    points = [ScatterPoint("a", "key", x, y) for x, y in ((0, 0), (4, 0), (0, 1))]
    root = ElementTree.fromstring(draw_scatter(points, "States"))
    origin, right, up = read_starts(next(path for path in root.iter("path") if len(path)).attrib["d"])

    assert right[0] - origin[0] == pytest.approx(4 * (origin[1] - up[1]), abs=0.5)


def test_broken_points_are_left_out_and_none_is_an_empty_plot() -> None:
    broken = [ScatterPoint("a", "key", math.nan, 0), ScatterPoint("b", "key", 0, math.inf)]

    assert "nan" not in draw_scatter([*broken, *build_points()], "States")
    assert draw_scatter(broken, "States") == draw_scatter([], "States")


def test_more_groups_than_shapes_differ_in_letter_and_more_kinds_than_fillings_are_refused() -> None:
    groups = tuple(f"relation {number}" for number in range(30))
    texts = [
        text.text for text in ElementTree.fromstring(draw_scatter(build_points(groups, ("key",)), "")).iter("text")
    ]

    assert {"A", "Z", "A1", "D1"} <= set(texts)
    with pytest.raises(ValueError, match="4 kinds"):
        draw_scatter(build_points(kinds=tuple(str(number) for number in range(len(FILLINGS) + 1))), "States")


def test_the_colour_is_that_of_the_moment() -> None:
    assert 'class="m-memorize"' in draw_scatter(build_points(), "States", moment="memorize")
