"""The rows of `summary.json`, ready to be looked up."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rote.errors import RunError
from rote.figures import Figure, read_figure
from rote.records import FACT_SETS, MEASURES, NO_LANGUAGE, QUESTION_SETS, order_moments
from rote.report.words import LANGUAGES

_KEYS = ("moment", "fact_set", "prompt_set", "language", "measure", "mean", "n")


class Questions(NamedTuple):
    """Which questions a figure is about."""

    fact_set: str
    prompt_set: str
    language: str


class Summary:
    """Figures by question, moment and measure."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Read the rows; raises `RunError` naming the first one that lacks a key."""
        self._figures: dict[tuple[Questions, str, str], Figure] = {}
        for number, row in enumerate(rows, start=1):
            self._add(number, row)
        asked = {questions for questions, _, _ in self._figures}
        self.questions = sorted(asked, key=_order)
        self.moments = tuple(order_moments(moment for _, moment, _ in self._figures))
        self.measures = tuple(name for name in MEASURES if any(key[2] == name for key in self._figures))

    def _add(self, number: int, row: Mapping[str, Any]) -> None:
        missing = [key for key in _KEYS if key not in row]
        if missing:
            raise RunError(f"summary row {number} has no {missing[0]!r}; examine the model again to write it anew")
        questions = Questions(str(row["fact_set"]), str(row["prompt_set"]), str(row["language"]))
        figure = read_figure(row)
        if figure is not None:
            self._figures[questions, str(row["moment"]), str(row["measure"])] = figure

    def find(self, questions: Questions, moment: str, measure: str = "generation_accuracy") -> Figure | None:
        """The figure, or None where this was not measured."""
        return self._figures.get((questions, moment, measure))

    def select(self, *, fact_set: str | None = None, prompt_set: str | None = None) -> list[Questions]:
        """The questions of a fact set and prompt set, in order; `None` stands for all."""
        return [
            item
            for item in self.questions
            if fact_set in (None, item.fact_set) and prompt_set in (None, item.prompt_set)
        ]

    def find_main_questions(self, fact_set: str) -> Questions | None:
        """The natural questions that stand for a fact set: held-out prompts in the main language, or the nearest."""
        found = [item for name in ("held_out", "training") for item in self.select(fact_set=fact_set, prompt_set=name)]
        in_main = [item for item in found if item.language == self.main_language]
        return next(iter([*in_main, *found]), None)

    @property
    def main_language(self) -> str:
        """The language of the training prompts, or the first there is."""
        trained = [item.language for item in self.select(prompt_set="training")]
        others = [item.language for item in self.questions if item.language != NO_LANGUAGE]
        return next(iter([*trained, *others]), NO_LANGUAGE)

    @property
    def main_fact_set(self) -> str:
        """The fact set the headline is about: held-out facts where there are some."""
        present = {item.fact_set for item in self.questions}
        return next((name for name in ("held_out", "generalize", "unseen") if name in present), "held_out")


def _order(questions: Questions) -> tuple[int, int, int, str]:
    return (
        _rank(FACT_SETS, questions.fact_set),
        _rank(QUESTION_SETS, questions.prompt_set),
        _rank(tuple(LANGUAGES), questions.language),
        questions.language,
    )


def _rank(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)
