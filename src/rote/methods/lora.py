"""Memorize-then-generalize with low-rank adapters in place of full fine-tuning (extra `lora`).

Each phase trains adapters on every linear layer and the rows of the key tokens, and is merged into the weights at its
end, so what comes after a phase always meets a plain model.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from rote.config.run import LoraConfig, PhaseConfig
from rote.methods import memorize_then_generalize
from rote.methods.teaching import Stage, Task, Teaching
from rote.models.adapters import add_adapters, import_peft, merge_adapters
from rote.models.language_model import LanguageModel

PhaseType = TypeVar("PhaseType", bound=PhaseConfig)


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """The stages of memorize-then-generalize, each within adapters. Raises `ConfigError` where peft is missing."""
    import_peft()
    teaching = memorize_then_generalize.plan(language_model, task)
    stages = [_adapt(stage, task.config.lora, task.config.seed) for stage in teaching.stages]
    return replace(teaching, stages=stages)


def _adapt(stage: Stage, settings: LoraConfig, seed: int) -> Stage:
    return replace(
        stage,
        settings=scale_rate(stage.settings, settings),
        prepare=lambda language_model: add_adapters(language_model, settings, seed=seed),
        finish=lambda language_model: _finish(language_model, stage.finish),
    )


def scale_rate(phase: PhaseType, settings: LoraConfig) -> PhaseType:
    """A phase with the learning rate of adapters."""
    return phase.model_copy(update={"learning_rate": phase.learning_rate * settings.learning_rate_factor})


def _finish(language_model: LanguageModel, then: Callable[[LanguageModel], None] | None) -> None:
    merge_adapters(language_model)
    if then:
        then(language_model)
