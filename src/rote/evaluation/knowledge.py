"""What a model believes about facts: known, partly known, unknown, or something else with confidence.

A belief comes from several prompts about one fact: what the model says greedily to each, and some answers drawn at
random. It is confident of what it says greedily as far as the drawn answers say it too, whatever the wording.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from rote.config.examining import KnowledgeConfig
from rote.encoding.example import encode
from rote.evaluation.generation import generate_answers, sample_answers
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import Fact
from rote.facts.names import contains_answer, normalize
from rote.facts.relation import TRAINING_LANGUAGE, PromptTemplate, Relation
from rote.facts.text import build_prompt_text
from rote.figures import FigureRow, build_figure_row
from rote.models.language_model import LanguageModel
from rote.records import Moment, Record

Label = Literal["known", "partly", "conflicting", "unknown"]
LABELS: tuple[Label, ...] = ("known", "partly", "conflicting", "unknown")
CONFIDENT = 0.5
"""The share of drawn answers that agree from which on an answer counts as said with confidence."""

_END = re.compile(r"[\n。]|(?<=\w{3})[.!?](?:\s|$)")
"""Where the answer to a question ends; what a model that was not taught to stop says afterwards is not part of it.
A full stop after one or two letters is that of an abbreviation."""
_PAUSE = re.compile(r"[,;(]|\s[-–—]")
"""Where a model that goes on talking has said the name: "Paris, which is" answers as "Paris" does."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What a model says about one fact, over several prompts."""

    relation: str
    subject: str
    answer: str
    """What it says greedily to most of the prompts, up to the first pause."""
    agreement: float
    """The share of the drawn answers, over all prompts, that say it too."""
    right: tuple[bool, ...]
    """For each prompt, whether what it says greedily holds a right answer."""

    @property
    def label(self) -> Label:
        """`known` if all prompts are answered, `partly` if some are, `conflicting` if it is confident of another."""
        if all(self.right):
            return "known"
        if any(self.right):
            return "partly"
        return "conflicting" if self.is_confident else "unknown"

    @property
    def is_confident(self) -> bool:
        """Whether it says something, and says it again."""
        return bool(self.answer) and self.agreement >= CONFIDENT


def read_beliefs(rows: Iterable[Mapping[str, Any]]) -> list[Belief]:
    """Beliefs from plain data, as the outcome of a job has them."""
    return [Belief(**{**row, "right": tuple(row["right"])}) for row in rows]


_Group = tuple[Label | Literal["invented"], Moment, str, str]


class KnowledgeRow(FigureRow):
    """One figure about the facts of one label: a mean in [0, 1] with its 95% interval over `n` questions."""

    label: Label | Literal["invented"]
    moment: str
    prompt_set: str
    language: str
    measure: str


def ask_beliefs(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    settings: KnowledgeConfig,
    *,
    batch_size: int,
    seed: int,
) -> list[Belief]:
    """What the model believes about each fact, in order; `seed` decides the answers that are drawn."""
    picked = {name: _pick_prompts(relations[name], settings.prompts) for name in {fact.relation for fact in facts}}
    asked = [(fact, template) for fact in facts for template in picked[fact.relation]]
    model, tokenizer = language_model.model, language_model.tokenizer
    prompts = [encode(tokenizer, build_prompt_text(fact, template)).prompt_ids for fact, template in asked]
    nothing: list[tuple[str, ...]] = [()] * len(prompts)
    tokens = settings.tokens
    greedy = generate_answers(model, tokenizer, prompts, nothing, batch_size=batch_size, max_new_tokens=tokens)
    drawn = sample_answers(model, tokenizer, prompts, count=settings.samples, tokens=tokens, seed=seed)
    answers = iter(zip(greedy, drawn, strict=True))
    return [_gather(fact, islice(answers, len(picked[fact.relation]))) for fact in facts]


def _pick_prompts(relation: Relation, count: int) -> list[PromptTemplate]:
    held_out = relation.select(prompt_set="held_out", language=TRAINING_LANGUAGE)
    return [*relation.select_training(1), *held_out][:count]


def _gather(fact: Fact, answers: Iterable[tuple[str, list[str]]]) -> Belief:
    greedy, drawn = zip(*answers, strict=True)
    return build_belief(fact, greedy, drawn)


def build_belief(fact: Fact, greedy: Sequence[str], drawn: Sequence[Sequence[str]]) -> Belief:
    """The belief about a fact from its greedy and its drawn answers, one (list) for each prompt."""
    said = [cut_name(text) for text in greedy]
    answer = Counter(said).most_common(1)[0][0]
    others = [contains_answer(text, [answer]) for texts in drawn for text in texts]
    right = tuple(contains_answer(text, fact.answers) for text in greedy)
    return Belief(fact.relation, fact.subject, answer, sum(others) / max(1, len(others)), right)


def cut_answer(text: str) -> str:
    """What was said, up to the end of the first sentence or line."""
    begun = text.strip()
    end = _END.search(begun)
    cut = begun[: end.start()] if end and normalize(begun[: end.start()]) else begun
    return cut.strip()


def cut_name(text: str) -> str:
    """What was said, up to the first pause in its first sentence."""
    said = cut_answer(text)
    pause = _PAUSE.search(said)
    return said[: pause.start()].strip() if pause and normalize(said[: pause.start()]) else said


def compute_knowledge(records: Iterable[Record], beliefs: Mapping[tuple[str, str], Belief]) -> list[KnowledgeRow]:
    """Accuracy by the label a fact had before teaching; for conflicting facts also how often the old answer is given.

    `beliefs` are those of the moment `before`, by relation and subject; records of other facts are left out.
    """
    groups: dict[_Group, list[tuple[Record, Belief]]] = {}
    for record in records:
        belief = beliefs.get((record.relation, record.subject))
        if belief and record.fact_set in ("generalize", "held_out"):
            group: _Group = (belief.label, record.moment, record.prompt_set, record.language)
            groups.setdefault(group, []).append((record, belief))
    rows = []
    for group in groups:
        members = groups[group]
        facts = [(record.relation, record.subject) for record, _ in members]
        rows.append(_build_row(group, "generation_accuracy", facts, [record.correct for record, _ in members]))
        if group[0] == "conflicting":
            old = [not record.correct and contains_answer(record.generated, [b.answer]) for record, b in members]
            rows.append(_build_row(group, "old_answer", facts, old))
    return sorted(rows, key=lambda row: (*LABELS, "invented").index(row["label"]))


def compute_false_confidence(moment: Moment, beliefs: Sequence[Belief]) -> KnowledgeRow:
    """How often a model says something with confidence about subjects that do not exist."""
    subjects = [(belief.relation, belief.subject) for belief in beliefs]
    group: _Group = ("invented", moment, "training", "en")
    return _build_row(group, "false_confidence", subjects, [belief.is_confident for belief in beliefs])


def _build_row(group: _Group, measure: str, facts: Sequence[tuple[str, str]], values: Sequence[bool]) -> KnowledgeRow:
    label, moment, prompt_set, language = group
    return {
        "label": label,
        "moment": moment,
        "prompt_set": prompt_set,
        "language": language,
        "measure": measure,
        **build_figure_row(compute_interval([float(value) for value in values], facts)),
    }
