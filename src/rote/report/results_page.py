"""The results of all experiments as one page: claims with their verdicts, then each experiment with its figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rote.figures import Figure
from rote.report.display import clean_text
from rote.report.dots import DotPanel, draw_dots, draw_ours, draw_paper, has_paper
from rote.report.page import render_page
from rote.report.scatter import ScatterPoint, draw_scatter
from rote.report.words import PROMPT_SETS, label_moment

VERDICTS = {"holds": ("✓", "right"), "open": ("~", "open"), "does not hold": ("✗", "wrong")}
"""The sign of a verdict, for those who cannot tell colours apart, and its class."""


@dataclass(frozen=True)
class ClaimLine:
    """A claim, what the paper and we have for it, and the verdict."""

    key: tuple[str, str]
    """The experiment and the claim by name: what other models were asked has the same."""
    model: str
    text: str
    paper: str
    """The paper's figure as it is printed; may be empty."""
    ours: Figure
    made_of: str
    """The two figures of which ours is the difference or the ratio; may be empty."""
    bound: str
    """What is wanted of our figure: `>= 0.3`."""
    size: str
    """What it rests on: `3 seeds, 300 questions`."""
    verdict: str
    why: str
    """The reason where it does not hold or is open; may be empty."""


@dataclass(frozen=True)
class ResultTable:
    """A table as text; every row is as long as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class StatePlane:
    """Hidden states of one run at one moment on a plane; the kinds of its points are prompt sets."""

    run: str
    moment: str
    points: tuple[ScatterPoint, ...]


@dataclass(frozen=True)
class ExperimentSection:
    """One finished experiment. All but the first four may be empty."""

    title: str
    description: str
    seeds: int
    command: str
    """How it is done again."""
    stale: str = ""
    """Why its figures are not those of today's code; empty where they are."""
    claims: tuple[ClaimLine, ...] = ()
    panels: tuple[DotPanel, ...] = ()
    planes: tuple[StatePlane, ...] = ()
    notes: tuple[str, ...] = ()
    """What there is to say of the figures, such as that a run had learned too little to show anything."""
    tables: tuple[ResultTable, ...] = ()


@dataclass(frozen=True)
class ShortLine:
    """A claim in plain words, or a count of all, with the figures of each model."""

    lead: str
    """What the verdicts come to."""
    text: str


@dataclass(frozen=True)
class ClaimList:
    """Claims that have something in common, each in a sentence or more."""

    heading: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class ResultsContent:
    """All that the page says."""

    models: tuple[str, ...]
    """Those that claims were tested on."""
    sections: tuple[ExperimentSection, ...]
    missing: tuple[str, ...] = ()
    """Experiments that are declared but not finished."""
    in_short: tuple[ShortLine, ...] = ()
    comparison: tuple[ClaimList, ...] = ()
    """What holds on all models, on some and on none; empty with one model."""


def render_results(content: ResultsContent) -> str:
    """Render the page: one self-contained HTML document, the same bytes for the same content."""
    page = {
        "title": clean_text(f"Results of {', '.join(content.models)}"),
        "missing": content.missing,
        "in_short": content.in_short,
        "comparison": content.comparison,
        "models": content.models,
        "claims": _line_up(content),
        "tally": _count_verdicts(content.sections),
        "sections": [_prepare_section(section) for section in content.sections],
        "verdicts": VERDICTS,
        "ours_mark": draw_ours(8, 8),
        "paper_mark": draw_paper(8, 8),
    }
    return render_page("results.html.j2", page)


def _line_up(content: ResultsContent) -> list[dict[str, Any]]:
    """A line for each claim, with what was found on each model and where its experiment stands on the page."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for number, section in enumerate(content.sections, start=1):
        for claim in section.claims:
            there = {"claim": claim, "number": number, "stale": bool(section.stale)}
            found.setdefault(claim.key, {})[claim.model] = there
    lines = []
    for by_model in found.values():
        first = next(iter(by_model.values()))["claim"]
        cells = [(model, by_model.get(model)) for model in content.models]
        lines.append({"text": first.text, "paper": first.paper, "bound": first.bound, "found": cells})
    return lines


def _count_verdicts(sections: Sequence[ExperimentSection]) -> list[tuple[str, int]]:
    """How often each verdict was given, the good ones first; those never given are left out."""
    counts = Counter(claim.verdict for section in sections for claim in section.claims)
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]


def _prepare_section(section: ExperimentSection) -> dict[str, Any]:
    return {
        "about": section,
        "has_paper": has_paper(section.panels),
        "panels": [(panel.title, draw_dots(panel)) for panel in section.panels],
        "planes": [_prepare_plane(plane) for plane in section.planes],
    }


def _prepare_plane(plane: StatePlane) -> tuple[str, Markup]:
    """Title and figure. All planes have the same kinds, so that a filling means the same in all of them."""
    title = f"{plane.run}, {label_moment(plane.moment)}"
    points = [ScatterPoint(p.group, PROMPT_SETS.get(p.kind, p.kind), p.x, p.y) for p in plane.points]
    kinds = tuple(name for kind, name in PROMPT_SETS.items() if kind != "chat")  # states are not compared in chats
    return title, draw_scatter(points, title, moment=plane.moment, kinds=kinds)
