"""The sentence and the picture at the top, both made from the summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rote.figures import Figure
from rote.report.display import clean_text, format_count, format_counts, format_number
from rote.report.lines import RINGS, read_loss
from rote.report.summary import Questions, Summary
from rote.report.words import FACT_SET_NOTES, FACT_SETS, PROMPT_SETS, label_language, label_moment, label_prompts

NOTHING = Markup("This run holds no figures yet: no model was examined.")


@dataclass(frozen=True)
class VerdictLine:
    """The verdict at the very top: good or not, in a few words, with its cause and what to try next."""

    is_good: bool
    sentence: str
    cause: str
    next: str


@dataclass(frozen=True)
class PictureRow:
    """One row of the picture: a kind of question and its figure at each moment."""

    label: str
    hint: str
    figures: tuple[Figure | None, ...]


def build_verdict(verdict: Mapping[str, Any] | None) -> VerdictLine | None:
    """The verdict of a manifest; None where it has none."""
    if not verdict:
        return None
    sentence = clean_text(str(verdict["sentence"]))
    is_good = verdict["state"] == "learned and understood" and not verdict["forgot"]
    return VerdictLine(
        is_good,
        sentence[:1].upper() + sentence[1:],
        clean_text(str(verdict["cause"])),
        clean_text(str(verdict["next"])),
    )


def build_sentence(
    summary: Summary, side_effects: Sequence[Mapping[str, Any]], model_name: str, *, fact_count: int
) -> Markup:
    """One sentence: what the model knew at each moment, and what it lost of the facts it knew before."""
    fact_set = summary.main_fact_set
    asked = summary.find_main_questions(fact_set)
    clauses = _build_clauses(summary, asked) if asked else []
    known = _build_lost_clause(side_effects) or _build_known_clause(summary)
    if not asked or not clauses:
        return _finish(known) if known else NOTHING
    about = Markup("Asked in {} {} about {} ({}), <bdi>{}</bdi> answered ").format(
        label_language(asked.language),
        PROMPT_SETS[asked.prompt_set],
        _name_facts(fact_set, fact_count),
        FACT_SET_NOTES[fact_set],
        clean_text(model_name),
    )
    sentence = about + _join(clauses)
    return _finish(Markup("{}; {}").format(sentence, known) if known else sentence)


def _name_facts(fact_set: str, count: int) -> str:
    return f"the {format_count(count)} {FACT_SETS[fact_set]}" if count else f"the {FACT_SETS[fact_set]}"


def _build_clauses(summary: Summary, asked: Questions, *, noun: str = " of the questions") -> list[Markup]:
    """One clause per moment: `0.18 after memorize (1.00 by key token)`; the first one says of what."""
    clauses: list[Markup] = []
    for moment in summary.moments:
        figure = summary.find(asked, moment)
        if figure:
            verb = "" if clauses else f"{noun} correctly"
            clauses.append(_number(figure) + Markup("{} {}").format(verb, label_moment(moment)))
            clauses[-1] += _build_recall(summary, asked.fact_set, moment)
    return clauses


def _build_recall(summary: Summary, fact_set: str, moment: str) -> Markup:
    """After memorize, the recall by key token in brackets."""
    asked = summary.select(fact_set=fact_set, prompt_set="key")
    figure = summary.find(asked[0], moment) if asked and moment == "memorize" else None
    return Markup(" ({} by key token)").format(_number(figure)) if figure else Markup("")


def _build_lost_clause(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """What was lost, ring by ring; nothing where no ring was known."""
    losses = [(RINGS.get(row["ring"]), read_loss(row)) for row in rows if "known" in row]
    parts = [Markup("{} of the {}").format(_number(loss), name) for name, loss in losses if name and loss]
    return Markup("of what it knew before it lost ") + _join(parts) if parts else Markup("")


def _build_known_clause(summary: Summary) -> Markup:
    """How the questions about known facts were answered, where it was not measured what was lost of them."""
    asked = summary.find_main_questions("known")
    clauses = _build_clauses(summary, asked, noun="") if asked else []
    if not asked or not clauses:
        return Markup("")
    start = Markup("of the {} questions about other facts it answered ")
    return start.format(label_language(asked.language)) + _join(clauses)


def _number(figure: Figure) -> Markup:
    return Markup("<b>{}</b>").format(format_number(figure.value))


def _join(parts: list[Markup]) -> Markup:
    """`a, b and c`."""
    if len(parts) < 2:
        return parts[0] if parts else Markup("")
    return Markup(", ").join(parts[:-1]) + Markup(" and ") + parts[-1]


def _finish(sentence: Markup) -> Markup:
    return Markup(sentence[:1].upper() + sentence[1:]) + Markup(".")


def build_picture(summary: Summary) -> list[PictureRow]:
    """The rows of the picture; questions that were not asked are left out."""
    fact_set, language = summary.main_fact_set, summary.main_language
    rows = [
        _build_row(summary, item)
        for prompt_set in ("key", "training", "held_out")
        for item in summary.select(fact_set=fact_set, prompt_set=prompt_set)
    ]
    control = summary.select(fact_set=fact_set, prompt_set="control")
    rows += [_build_row(summary, item, "low is good") for item in control if item.language == language]
    known = summary.find_main_questions("known")
    if known:
        label = f"Known facts, {label_language(known.language)}"
        rows.append(_build_row(summary, known, "should not fall", label=label))
    return rows


def _build_row(summary: Summary, questions: Questions, note: str = "", *, label: str = "") -> PictureRow:
    figures = tuple(summary.find(questions, moment) for moment in summary.moments)
    hint = "n = " + format_counts([figure.n for figure in figures if figure])
    label = label or label_prompts(questions.prompt_set, questions.language)
    return PictureRow(label, f"{hint} · {note}" if note else hint, figures)
