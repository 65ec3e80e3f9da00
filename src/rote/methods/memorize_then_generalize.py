"""Memorize-then-generalize (paper, section 3): rote learning behind a key token, then a little meaning.

`memorize` shows every fact as `subject [X] object` for many epochs, with the loss on all tokens. `generalize` shows a
few of those facts behind one meaningful prompt, with the loss on the object alone. Both train the whole model in place.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.config.run import GeneralizeConfig, MemorizeConfig
from rote.encoding.batch import collate
from rote.encoding.example import Example, build_prompt_text, build_rote_text, encode
from rote.errors import ModelError
from rote.facts.fact import Fact
from rote.facts.relation import Relation
from rote.models.key_tokens import check_keys_moved, get_key_rows
from rote.models.language_model import LanguageModel
from rote.training.loop import Checkpointing, LoopPlan, Term, run_loop
from rote.training.losses import next_token_loss
from rote.training.optimizer import OptimizerSettings
from rote.training.retention import Retention

Progress = Callable[[int, int, float], None]
Evaluator = Callable[[], dict[str, float]]
"""Measures the model as it stands; called at the end of every epoch."""


@dataclass(frozen=True)
class PhaseContext:
    """What both phases are given besides the facts: order, retention, and where to report and to save."""

    seed: int = 0
    retention: Retention | None = None
    checkpointing: Checkpointing | None = None
    on_progress: Progress | None = None
    evaluator: Evaluator | None = None


def memorize(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    config: MemorizeConfig = MemorizeConfig(),
    *,
    context: PhaseContext = PhaseContext(),
) -> list[dict[str, Any]]:
    """Phase 1. Returns the history, one entry per update.

    Raises `ModelError` when a relation has no key token; `add_key_tokens` gives it one.
    """
    tokenizer = language_model.tokenizer
    missing = {fact.relation for fact in facts} - language_model.key_tokens.keys()
    if missing:
        raise ModelError(f"no key token for {', '.join(sorted(missing))}; call add_key_tokens before memorize")
    texts = [build_rote_text(fact, language_model.key_tokens[fact.relation]) for fact in facts]
    examples = [encode(tokenizer, text, loss_target="all_tokens") for text in texts]
    relations = list(dict.fromkeys(fact.relation for fact in facts))
    before = get_key_rows(language_model, relations)
    history = _train(language_model, examples, config, context=context, stop_at_recall=config.stop_at_recall)
    if history:
        check_keys_moved(language_model, relations, before)
    return history


def generalize(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    config: GeneralizeConfig = GeneralizeConfig(),
    *,
    context: PhaseContext = PhaseContext(),
) -> list[dict[str, Any]]:
    """Phase 2 on the `generalize_facts`, with the first `config.prompts` English training prompts of each relation."""
    examples = [
        encode(language_model.tokenizer, build_prompt_text(fact, template), loss_target="object_only")
        for fact in facts
        for template in relations[fact.relation].select_training(config.prompts)
    ]
    return _train(language_model, examples, config, context=context)


def pick_generalize_facts(facts: Sequence[Fact], *, per_relation: int, seed: int = 0) -> list[Fact]:
    """The k facts of each relation that phase 2 shows; a smaller k is a part of a larger one at the same seed."""
    chosen: list[Fact] = []
    for relation in dict.fromkeys(fact.relation for fact in facts):
        members = [fact for fact in facts if fact.relation == relation]
        random.Random(f"generalize/{relation}/{seed}").shuffle(members)
        chosen += members[:per_relation]
    return chosen


def _train(
    language_model: LanguageModel,
    examples: Sequence[Example],
    config: MemorizeConfig | GeneralizeConfig,
    *,
    context: PhaseContext,
    stop_at_recall: float | None = None,
) -> list[dict[str, Any]]:
    per_epoch = -(-len(examples) // config.batch_size)
    plan = LoopPlan(
        steps=per_epoch * config.epochs,
        build_terms=lambda step: _build_terms(language_model, examples, config.batch_size, context, step),
        after_step=lambda step: _measure(context.evaluator, step, per_epoch),
        should_stop=lambda history: _is_recalled(history, stop_at_recall),
    )
    settings = OptimizerSettings(config.learning_rate, config.warmup_steps, weight_decay=config.weight_decay)
    state = run_loop(
        language_model.model,
        plan,
        settings,
        checkpointing=context.checkpointing,
        on_progress=context.on_progress,
    )
    return state.history


def _build_terms(
    language_model: LanguageModel, examples: Sequence[Example], batch_size: int, context: PhaseContext, step: int
) -> list[Term]:
    """The facts of one step, in an order that depends on seed and epoch alone, and the texts to retain beside them."""
    per_epoch = -(-len(examples) // batch_size)
    epoch, index = divmod(step, per_epoch)
    order = list(range(len(examples)))
    random.Random(f"order/{context.seed}/{epoch}").shuffle(order)
    members = [examples[i] for i in order[index * batch_size : (index + 1) * batch_size]]
    pad_id = language_model.tokenizer.pad_token_id or 0
    batch = collate([(member.ids, member.labels) for member in members], pad_id=pad_id)
    terms = [Term(batch, next_token_loss, 1.0 / batch.target_count)]
    return [*terms, context.retention.build_term(step)] if context.retention else terms


def _measure(evaluator: Evaluator | None, step: int, per_epoch: int) -> dict[str, Any]:
    epoch, rest = divmod(step, per_epoch)
    if rest or evaluator is None:
        return {"epoch": step / per_epoch}
    return {"epoch": float(epoch), **evaluator()}


def _is_recalled(history: Sequence[Mapping[str, Any]], wanted: float | None) -> bool:
    return wanted is not None and bool(history) and history[-1].get("key_recall", 0.0) >= wanted
