"""The verdict at the top and the picture below it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rote.figures import Figure
from rote.report.display import clean_text, format_counts
from rote.report.summary import Questions, Summary
from rote.report.words import label_language, label_prompts

FALL = 0.02
"""A fall of known facts by more than this is shown as one."""


@dataclass(frozen=True)
class VerdictLine:
    """The verdict at the very top: good, bad or unsure, in a few words, with its cause and what to try next."""

    tone: Literal["good", "unsure", "bad"]
    sentence: str
    cause: str
    next: str

    @property
    def sign(self) -> str:
        """A mark beside the words, as colour alone tells not everybody."""
        return {"good": "✓", "unsure": "~", "bad": "✗"}[self.tone]


@dataclass(frozen=True)
class PictureRow:
    """One row of the picture: a kind of question and its figure at each moment."""

    label: str
    hint: str
    figures: tuple[Figure | None, ...]
    tone: Literal["", "low", "fall"] = ""
    """`low` is good in this row, so nothing of it has the colour of success; or what should not `fall` did."""


def build_verdict(verdict: Mapping[str, Any] | None) -> VerdictLine | None:
    """The verdict of a manifest; None where it has none."""
    if not verdict:
        return None
    sentence = clean_text(str(verdict["sentence"]))
    states: dict[str, Literal["good", "unsure"]] = {"learned and understood": "good", "unclear": "unsure"}
    return VerdictLine(
        "bad" if verdict["forgot"] else states.get(str(verdict["state"]), "bad"),
        sentence[:1].upper() + sentence[1:],
        clean_text(str(verdict["cause"])),
        clean_text(str(verdict["next"])),
    )


def build_picture(summary: Summary) -> list[PictureRow]:
    """The rows of the picture; questions that were not asked, and control prompts that never brought the object, are
    left out."""
    fact_set, language = summary.main_fact_set, summary.main_language
    rows = [
        _build_row(summary, item)
        for prompt_set in ("key", "training", "held_out")
        for item in summary.select(fact_set=fact_set, prompt_set=prompt_set)
    ]
    control = summary.select(fact_set=fact_set, prompt_set="control")
    asked = [_build_row(summary, item, "low is good", tone="low") for item in control if item.language == language]
    rows += [row for row in asked if any(figure and figure.value for figure in row.figures)]
    known = summary.find_main_questions("known")
    return [*rows, _build_known(summary, known)] if known else rows


def _build_known(summary: Summary, known: Questions) -> PictureRow:
    label = f"Known facts, {label_language(known.language)}"
    found = [figure for moment in summary.moments if (figure := summary.find(known, moment))]
    fall = found[0].value - found[-1].value if found else 0.0
    if fall <= FALL:
        return _build_row(summary, known, "should not fall", label=label)
    return _build_row(summary, known, f"fell by {round(100 * fall)} points", label=label, tone="fall")


def _build_row(
    summary: Summary, questions: Questions, note: str = "", *, label: str = "", tone: Literal["", "low", "fall"] = ""
) -> PictureRow:
    figures = tuple(summary.find(questions, moment) for moment in summary.moments)
    hint = "n = " + format_counts([figure.n for figure in figures if figure])
    label = label or label_prompts(questions.prompt_set, questions.language)
    return PictureRow(label, f"{hint} · {note}" if note else hint, figures, tone)
