"""Memorize-then-generalize with low-rank adapters in place of full fine-tuning (extra `lora`).

Each phase trains adapters on every linear layer and the rows of the key tokens, and is merged into the weights at its
end, so what comes after a phase always meets a plain model.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from rote.config.trial import LoraConfig
from rote.errors import ConfigError
from rote.methods import memorize_then_generalize
from rote.methods.teaching import Stage, Task, Teaching
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """The stages of memorize-then-generalize, each within adapters. Raises `ConfigError` where peft is missing."""
    import_peft()
    teaching = memorize_then_generalize.plan(language_model, task)
    stages = [_adapt(stage, task.config.lora, task.config.seed) for stage in teaching.stages]
    return replace(teaching, stages=stages)


def _adapt(stage: Stage, settings: LoraConfig, seed: int) -> Stage:
    rate = stage.settings.learning_rate * settings.learning_rate_factor
    return replace(
        stage,
        settings=stage.settings.model_copy(update={"learning_rate": rate}),
        prepare=lambda language_model: _add_adapters(language_model, settings, seed),
        finish=lambda language_model: _merge_adapters(language_model, stage.finish),
    )


def _add_adapters(language_model: LanguageModel, settings: LoraConfig, seed: int) -> None:
    peft = import_peft()
    tokenizer = language_model.tokenizer
    rows = tokenizer.convert_tokens_to_ids(list(language_model.key_tokens.values()))
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules="all-linear",
        trainable_token_indices=rows or None,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # fresh adapters are random: the same ones, whatever was done before
        language_model.model = peft.get_peft_model(language_model.model, config)


def _merge_adapters(language_model: LanguageModel, then: Callable[[LanguageModel], None] | None) -> None:
    adapted: Any = language_model.model
    language_model.model = adapted.merge_and_unload().requires_grad_(True)
    if then:
        then(language_model)


def import_peft() -> Any:
    """The library. Raises `ConfigError` where it is missing."""
    try:
        import peft
    except ImportError as error:
        raise ConfigError("method lora needs peft; install it with: pip install 'rote[lora]'") from error
    return peft
