"""The first screen: three questions that everybody asks of a run, answered in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rote.figures import Figure
from rote.report.display import clean_text, format_count, format_number, format_range, format_share
from rote.report.lines import RINGS, read_loss
from rote.report.summary import Questions, Summary
from rote.report.words import label_language, label_moment, shows_some

Tone = Literal["good", "unsure", "bad", "none"]

WIDE = 0.2
"""An interval wider than this says little more than a direction."""
_KNOWS: dict[Tone, str] = {"good": "Yes", "unsure": "Perhaps", "bad": "Not yet", "none": "Not judged"}
_FORGOT: dict[Tone, str] = {
    "good": "Next to nothing",
    "unsure": "Hard to say",
    "bad": "Too much",
    "none": "Not measured",
}
_SHOWN = {
    "held_out": "facts that it memorized and never saw in a sentence",
    "generalize": "facts that it was shown in sentences",
    "unseen": "facts that nobody taught",
    "known": "facts that were not taught",
}
_SHOWN_OTHERWISE = {**_SHOWN, "held_out": "facts of the table", "generalize": "further facts of the table"}
"""After another method than ours, which may show every fact in sentences, or teach none."""


@dataclass(frozen=True)
class Answer:
    """One question with its answer in a word or two, and the sentences that bear it out."""

    question: str
    tone: Tone
    short: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class LargeNumber:
    """The one figure of the headline, and what it is the share of."""

    figure: str
    about: str


def _name_facts(fact_set: str, moments: Sequence[str]) -> str:
    return (_SHOWN if shows_some(moments) else _SHOWN_OTHERWISE)[fact_set]


def build_number(summary: Summary) -> LargeNumber | None:
    """The share of questions in new words that are answered right at the end; None where none was asked."""
    asked = _find_main(summary)
    figure = asked and summary.find(asked, summary.moments[-1])
    if not asked or not figure:
        return None
    noun = "questions were" if figure.n != 1 else "question was"
    share = f"{noun} answered right" if " of " in format_share(figure) else "of the questions were answered right"
    about = _name_facts(asked.fact_set, summary.moments)
    return LargeNumber(format_share(figure), f"{share}, {_describe_words(asked)}, about {about}")


def build_answers(
    summary: Summary, side_effects: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]
) -> list[Answer]:
    """The three questions; none for a run without figures."""
    if not summary.moments:
        return []
    asked = _find_main(summary)
    return [
        _tell_known(summary, asked, manifest.get("verdict")),
        _tell_forgotten(summary, side_effects),
        _tell_trust(summary, asked, manifest),
    ]


def _find_main(summary: Summary) -> Questions | None:
    return summary.find_main_questions(summary.main_fact_set)


def _describe_words(asked: Questions) -> str:
    words = "asked in new words" if asked.prompt_set == "held_out" else "asked in the words it was taught"
    return words if asked.language == "en" else f"{words} ({label_language(asked.language)})"


def _tell_known(summary: Summary, asked: Questions | None, verdict: Mapping[str, Any] | None) -> Answer:
    question = "Does it know the facts, asked in new words?"
    if asked is None:
        return Answer(question, "none", _KNOWS["none"], ("No question about the taught facts was asked in words.",))
    states: dict[str, Tone] = {"learned and understood": "good", "unclear": "unsure"}
    tone = states.get(str(verdict["state"]), "bad") if verdict else "none"
    lines = [f"About {_name_facts(asked.fact_set, summary.moments)}: {_trace(summary, asked)}."]
    shown = asked._replace(fact_set="generalize")
    if asked.fact_set != "generalize" and (figure := summary.find(shown, summary.moments[-1])):
        lines.append(f"About {_name_facts('generalize', summary.moments)}: {format_share(figure)}.")
    by_key = summary.select(fact_set=asked.fact_set, prompt_set="key")
    if by_key and (figure := summary.find(by_key[0], summary.moments[-1])):
        lines.append(f"By their key token, as they were memorized: {format_share(figure)}.")
    return Answer(question, tone, _KNOWS[tone], (*lines, *_tell_languages(summary, asked)))


def _trace(summary: Summary, asked: Questions) -> str:
    """The first and the last figure: `88% after generalize, 0% before training`."""
    found = [(moment, figure) for moment in summary.moments if (figure := summary.find(asked, moment))]
    ends = found[-1:] if len(found) < 2 else [found[-1], found[0]]
    return ", ".join(f"{format_share(figure)} {label_moment(moment)}" for moment, figure in ends) or "not asked"


def _tell_languages(summary: Summary, asked: Questions) -> Iterator[str]:
    others = [
        (item.language, figure)
        for item in summary.select(fact_set=asked.fact_set, prompt_set=asked.prompt_set)
        if item.language != asked.language and (figure := summary.find(item, summary.moments[-1]))
    ]
    if others:
        told = ", ".join(f"{label_language(language)} {format_share(figure)}" for language, figure in others)
        yield f"In other languages: {told}."


def _tell_forgotten(summary: Summary, rows: Sequence[Mapping[str, Any]]) -> Answer:
    question = "What did it forget?"
    measured = [row for row in rows if row["n"]]
    if not measured:
        known = summary.find_main_questions("known")
        lines = (f"Other facts, in {label_language(known.language)}: {_trace(summary, known)}.",) if known else ()
        short = _KNOWS["none"] if lines else _FORGOT["none"]
        return Answer(question, "none", short, lines or ("No other facts, texts or tasks were asked about.",))
    verdicts = {row["verdict"] for row in measured}
    tone: Tone = "bad" if "lost" in verdicts else "good" if verdicts == {"kept"} else "unsure"
    return Answer(question, tone, _FORGOT[tone], tuple(_describe_ring(row) for row in measured))


def _describe_ring(row: Mapping[str, Any]) -> str:
    loss = read_loss(row)
    if "known" not in row or loss is None:
        name = "general text" if row["ring"] == "text" else clean_text(f"{row['ring']}, {row['measure']}")
        ends = " before, ".join(format_number(float(row[key])) for key in ("before", "after"))
        return f"{name[:1].upper()}{name[1:]}: {ends} after: {row['verdict']}."
    name = RINGS.get(row["ring"], clean_text(str(row["ring"])))
    known = f"{format_count(int(row['known']))} known before, {format_count(loss.n)} questions"
    few = ", which are few" if row["few"] else ""
    return f"{name[:1].upper()}{name[1:]} ({known}{few}): {format_share(loss)} lost, at worst {_worst(loss)}."


def _worst(loss: Figure) -> str:
    return format_share(Figure(loss.high, loss.high, loss.high, loss.n))


def _tell_trust(summary: Summary, asked: Questions | None, manifest: Mapping[str, Any]) -> Answer:
    question = "Can I trust the figure?"
    figure = summary.find(asked, summary.moments[-1]) if asked else None
    if asked is None or figure is None:
        return Answer(question, "none", "There is none", ("The facts were not asked for in words at the end.",))
    control = summary.find(asked._replace(prompt_set="control"), summary.moments[-1])
    tone, short = _judge_trust(figure, control)
    return Answer(question, tone, short, tuple(_list_reasons(summary, figure, control, manifest)))


def _judge_trust(figure: Figure, control: Figure | None) -> tuple[Tone, str]:
    """A leak comes first: a wide interval does not excuse it, but two answers of few are no leak for sure."""
    if control is not None and control.value > 0:
        is_apart, half = figure.low > control.high, figure.value / 2
        if control.low >= half or (is_apart and control.value > half):
            return "bad", "No: it is said whatever is asked"
        if not is_apart:
            return "unsure", "Not sure: it cannot be told from what control prompts bring"
    if figure.high - figure.low > WIDE:
        return "unsure", "Roughly"
    return "good", "Yes, for this run"


def _list_reasons(
    summary: Summary, figure: Figure, control: Figure | None, manifest: Mapping[str, Any]
) -> Iterator[str]:
    few = "; ask about more facts to know better (examine.facts)" if figure.high - figure.low > WIDE else ""
    if figure.low < figure.high:
        yield f"With {format_count(figure.n)} questions, anything between {format_range(figure)} fits (95%){few}."
    if control:
        yield f"Asked for something else, it says the same object: {format_share(control)} (low is good)."
    guessed = summary.find_main_questions("unseen")
    if guessed and (found := summary.find(guessed, summary.moments[-1])):
        yield f"Facts that nobody taught are right by chance: {format_share(found)} (low is good)."
    if manifest.get("saved"):
        yield "The saved model was loaded again in a fresh process and gave the same answers."
    if "seed" in manifest:
        yield f"This is one run, with seed {clean_text(str(manifest['seed']))}; another seed may come out differently."
