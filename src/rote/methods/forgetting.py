"""Unlearning as a stage of training: the rote lines and training prompts of facts that are to be forgotten, and beside
them those of the facts that are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rote.config.forgetting import ForgetConfig, RelearnConfig
from rote.encoding.example import IGNORE, Example
from rote.evaluation.examine import examine
from rote.evaluation.questions import Question
from rote.facts.fact import Fact
from rote.facts.relation import PromptCount, Relation
from rote.facts.text import build_prompt_text, build_rote_text
from rote.methods.memorize_then_generalize import build_prompt_texts
from rote.methods.teaching import Stage, encode_all
from rote.methods.unlearning import NegativePreference, Unlearning
from rote.models.language_model import LanguageModel

FORGET = "forget"
"""The name of the stage, and the moment after it."""
ANSWERED = "answered"
"""What the history calls the share of trained wordings that still bring the object."""


@dataclass(frozen=True)
class Forgetting:
    """Which taught facts are to be forgotten and which are kept, with what asks for them."""

    forgotten: Sequence[Fact]
    neighbours: Sequence[Fact]
    """Other taught facts of the same relations."""
    others: Sequence[Fact]
    """Taught facts of all other relations."""
    relations: Mapping[str, Relation]


def build_forget_stage(language_model: LanguageModel, forgetting: Forgetting, settings: ForgetConfig) -> Stage:
    """The stage that makes a model forget; it ends by the wordings it trains on alone. The model is read as it is, so
    this comes before any training."""

    def encode_facts(facts: Sequence[Fact]) -> list[Example]:
        return encode_wordings(language_model, facts, forgetting.relations, prompts=settings.prompts)

    examples = [_label_object(example) for example in encode_facts(forgetting.forgotten)]
    is_npo = settings.method == "npo"
    unlearning = Unlearning(
        examples,
        encode_facts(forgetting.neighbours),
        encode_facts(forgetting.others),
        settings,
        NegativePreference(language_model.model, examples, beta=settings.beta) if is_npo else None,
    )
    return Stage(
        FORGET,
        examples,
        settings,
        retains=True,
        unlearning=unlearning,
        evaluator=_build_evaluator(language_model, forgetting, settings.prompts),
        should_stop=lambda history: bool(history) and history[-1].get(ANSWERED, 1.0) <= settings.stop_at,
    )


def build_relearn_stage(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    settings: RelearnConfig,
    *,
    prompts: PromptCount,
) -> Stage:
    """The stage that teaches facts again in the wordings they were unlearned in, with nothing held beside."""
    return Stage("relearn", encode_wordings(language_model, facts, relations, prompts=prompts), settings)


def encode_wordings(
    language_model: LanguageModel, facts: Sequence[Fact], relations: Mapping[str, Relation], *, prompts: PromptCount
) -> list[Example]:
    """The rote line of every fact, where its relation has a key token, and its prompts; the loss on objects."""
    keys = language_model.key_tokens
    lines = [build_rote_text(fact, keys[fact.relation]) for fact in facts if fact.relation in keys]
    return encode_all(language_model, [*lines, *build_prompt_texts(facts, relations, prompts=prompts)])


def _label_object(example: Example) -> Example:
    """The example without its end of text as a label: that a text ends is nothing to unlearn."""
    start, stop = example.object_span
    labels = [label if start <= place < stop else IGNORE for place, label in enumerate(example.labels)]
    return replace(example, labels=tuple(labels))


def _build_evaluator(
    language_model: LanguageModel, forgetting: Forgetting, prompts: PromptCount
) -> Callable[[], dict[str, float]]:
    """Asks the forgotten facts in the wordings that are unlearned, and in no other."""
    questions = list(_ask(language_model, forgetting, prompts))

    def measure() -> dict[str, float]:
        records = examine(language_model, questions, moment=FORGET, batch_size=128)
        return {ANSWERED: sum(record.correct for record in records) / len(records)}

    return measure


def _ask(language_model: LanguageModel, forgetting: Forgetting, prompts: PromptCount) -> list[Question]:
    keys = language_model.key_tokens
    asked = []
    for fact in forgetting.forgotten:
        if fact.relation in keys:
            line = build_rote_text(fact, keys[fact.relation])
            asked.append(Question(fact, "forgotten", "key", "-", line))
        for template in forgetting.relations[fact.relation].select_training(prompts):
            asked.append(Question(fact, "forgotten", "training", template.language, build_prompt_text(fact, template)))
    return asked
