"""What teaching a table costs a model: tokens, bits, room, time; measured on some facts and a few updates."""

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rote.config.job import Config
from rote.config.teaching import RetainConfig
from rote.facts.fact import Fact
from rote.methods.memorize_then_generalize import build_memorize_stage, give_key_tokens
from rote.methods.teaching import PhaseContext, Stage, prepare_tuning, train_stage
from rote.models.language_model import LanguageModel
from rote.retention.penalty import Retention, build_retention

BITS_PER_PARAMETER = (1, 2)
"""What a parameter can hold of facts seen 100 and 1,000 times (arXiv 2404.05405)."""
_TIMED_STEPS = 3


@dataclass(frozen=True)
class TableCost:
    """What memorizing a table takes."""

    facts: int
    tokens_per_epoch: int
    bits: float
    """To tell each fact's object from all objects of its relation: the least there is to be learned."""
    trained: int
    """Parameters that training may change: all of the model, or those of its adapters and the key tokens."""
    epochs: int
    seconds: float
    """All epochs of memorize, on this machine."""

    def describe(self) -> list[str]:
        """A few lines for a person."""
        low, high = (self.trained * bits for bits in BITS_PER_PARAMETER)
        fits = "fits" if self.bits <= low else "may not fit" if self.bits <= high else "does not fit"
        return [
            f"tokens:   {self.tokens_per_epoch:,} an epoch, {self.tokens_per_epoch / self.facts:.1f} a fact",
            f"bits:     {self.bits:,.0f} or more, {self.bits / self.facts:.1f} a fact",
            f"room:     {self.trained:,} trained parameters hold about {low:,} to {high:,} bits; the table {fits}",
            f"memorize: about {self.seconds / 60:,.1f} min for at most {self.epochs} epochs here",
        ]


def estimate_cost(
    language_model: LanguageModel,
    sample: Sequence[Fact],
    *,
    facts: Mapping[str, int],
    objects: Mapping[str, int],
    config: Config,
) -> TableCost:
    """The cost of a table with so many `facts` and different `objects` of each relation, of which `sample` is a part.

    Trains the model for a few updates, as a job with this `config` would begin: it is another one afterwards.
    """
    texts = _draw_texts(len(language_model.tokenizer), config.retain)
    retention = build_retention(language_model, texts, config.retain, seed=config.seed)
    give_key_tokens(language_model, tuple(facts), config)
    prepare_tuning(language_model, config)
    trained = sum(parameter.numel() for parameter in language_model.model.parameters() if parameter.requires_grad)
    stage = build_memorize_stage(language_model, sample, config.memorize)
    total = sum(facts.values())
    tokens = round(stage.tokens_per_epoch / len(sample) * total)
    epochs = config.memorize.count_epochs(total)
    timed = replace(
        stage,
        examples=(list(stage.examples) * config.memorize.batch_size)[: config.memorize.batch_size],
        settings=config.memorize.with_epochs(1 + _TIMED_STEPS),
    )
    return TableCost(
        facts=total,
        tokens_per_epoch=tokens,
        bits=math.fsum(facts[name] * math.log2(max(1, objects[name])) for name in facts),
        trained=trained,
        epochs=epochs,
        seconds=config.memorize.count_steps(total) * epochs * _time_steps(language_model, timed, retention),
    )


def _draw_texts(vocabulary: int, settings: RetainConfig) -> list[list[int]]:
    """Texts that take as long to hold as those of the model's own, which it would take long to write."""
    draw = random.Random(0)
    count = min(settings.texts, settings.batch_size)
    return [[draw.randrange(vocabulary) for _ in range(settings.tokens)] for _ in range(count)]


def _time_steps(language_model: LanguageModel, stage: Stage, retention: Retention | None) -> float:
    """Seconds of one update, the first one left out."""
    ends: list[float] = []
    context = PhaseContext(retention=retention, on_progress=lambda *_: ends.append(time.monotonic()))
    train_stage(language_model, stage, context)
    return (ends[-1] - ends[0]) / (len(ends) - 1)
