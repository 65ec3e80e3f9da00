"""Asking a model what it believes, and keeping it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from rote.config.run import RunConfig
from rote.encoding.example import encode
from rote.evaluation.generation import generate_answers, sample_answers
from rote.evaluation.knowledge import Belief, build_belief
from rote.facts.fact import Fact
from rote.facts.relation import TRAINING_LANGUAGE, PromptTemplate, Relation
from rote.facts.text import build_prompt_text
from rote.models.language_model import LanguageModel
from rote.runs.folder import read_json, write_json


def ask_beliefs(
    language_model: LanguageModel, facts: Sequence[Fact], relations: Mapping[str, Relation], config: RunConfig
) -> list[Belief]:
    """What the model believes about each fact, in order."""
    settings = config.knowledge
    picked = {name: _pick(relations[name], count=settings.prompts) for name in {fact.relation for fact in facts}}
    asked = [(fact, template) for fact in facts for template in picked[fact.relation]]
    model, tokenizer = language_model.model, language_model.tokenizer
    prompts = [encode(tokenizer, build_prompt_text(fact, template)).prompt_ids for fact, template in asked]
    nothing: list[tuple[str, ...]] = [()] * len(prompts)
    greedy = generate_answers(
        model,
        tokenizer,
        prompts,
        nothing,
        batch_size=config.examine.batch_size,
        max_new_tokens=settings.tokens,
    )
    drawn = sample_answers(model, tokenizer, prompts, count=settings.samples, tokens=settings.tokens, seed=config.seed)
    answers = iter(zip(greedy, drawn, strict=True))
    return [_build(fact, list(islice(answers, len(picked[fact.relation])))) for fact in facts]


def save_beliefs(beliefs: Sequence[Belief], path: Path) -> None:
    """Write beliefs as JSON."""
    write_json(path, [asdict(belief) for belief in beliefs])


def load_beliefs(path: Path) -> list[Belief]:
    """Read beliefs; none where they were not asked for."""
    rows = read_json(path) if path.is_file() else []
    return [Belief(**{**row, "right": tuple(row["right"])}) for row in rows]


def _build(fact: Fact, answers: Sequence[tuple[str, list[str]]]) -> Belief:
    return build_belief(fact, [greedy for greedy, _ in answers], [drawn for _, drawn in answers])


def _pick(relation: Relation, *, count: int) -> list[PromptTemplate]:
    held_out = relation.select(prompt_set="held_out", language=TRAINING_LANGUAGE)
    return [*relation.select_training(1), *held_out][:count]
