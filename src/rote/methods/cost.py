"""What teaching a table costs a model: tokens, bits, room, and the time and memory of an update and of an answer."""

import math
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from rote.config.teaching import RetainConfig
from rote.evaluation.reading import plan_reading, read_prompts
from rote.facts.fact import FactTable
from rote.methods.teaching import PhaseContext, Stage, train_stage
from rote.models.language_model import LanguageModel
from rote.retention.penalty import Retention

BITS_PER_PARAMETER = (1, 2)
"""What a parameter can hold of facts seen 100 and 1,000 times (arXiv 2404.05405)."""
_ROWS = 16
"""Prompts of the batch that is timed."""
_MORE_ROWS = 100
_DECODED = 3
"""Tokens that are timed after it."""
_QUICK = 1.0
"""Seconds: where a batch takes less, a larger one is timed."""


@dataclass(frozen=True)
class TableCost:
    """What there is to be learned, and where it is to go."""

    facts: int
    tokens_per_epoch: int
    bits: float
    """To tell each fact's object from all objects of its relation: the least there is to be learned."""
    trained: int
    """Parameters that training may change: all of the model, or those of its adapters and the key tokens."""

    def describe(self) -> list[str]:
        """A few lines for a person."""
        low, high = (self.trained * bits for bits in BITS_PER_PARAMETER)
        fits = "fits" if self.bits <= low else "may not fit" if self.bits <= high else "does not fit"
        return [
            f"tokens:     {self.tokens_per_epoch:,} an epoch, {self.tokens_per_epoch / self.facts:.1f} a fact",
            f"bits:       {self.bits:,.0f} or more, {self.bits / self.facts:.1f} a fact",
            f"room:       {self.trained:,} trained parameters hold about {low:,} to {high:,} bits; the table {fits}",
        ]


def count_cost(language_model: LanguageModel, table: FactTable, stage: Stage) -> TableCost:
    """The cost of a table to a model that is ready for training, by the stage that teaches it whole."""
    relations = [table.select(name) for name in table.relations]
    return TableCost(
        facts=len(table),
        tokens_per_epoch=stage.tokens_per_epoch,
        bits=math.fsum(len(facts) * math.log2(len({fact.object for fact in facts})) for facts in relations),
        trained=sum(parameter.numel() for parameter in language_model.model.parameters() if parameter.requires_grad),
    )


@dataclass(frozen=True)
class Pace:
    """Seconds for each token of a prompt that is read, and for each one that is said after it."""

    read: float
    said: float

    def answer(self, prompts: float, length: float, tokens: float) -> float:
        """The time for so many prompts of so many tokens, with so many tokens said to each."""
        return prompts * (length * self.read + tokens * self.said)


@torch.inference_mode()
def time_answers(language_model: LanguageModel, prompts: Sequence[Sequence[int]]) -> Pace:
    """How fast prompts are read and answered, from a batch of some of them, [tokens] ids each."""
    seconds, pace = _time_batch(language_model, prompts, _ROWS)
    return pace if seconds > _QUICK else _time_batch(language_model, prompts, _MORE_ROWS)[1]


def _time_batch(language_model: LanguageModel, prompts: Sequence[Sequence[int]], rows: int) -> tuple[float, Pace]:
    model = language_model.model
    model.train(False)
    batches = plan_reading(model, prompts, rows)
    batch = [prompts[index] for index in max(batches, key=len)]
    begin = _stop_the_clock()
    prefix = read_prompts(model, batch)
    read = _stop_the_clock()
    for _ in range(_DECODED):
        prefix.read(prefix.logits.argmax(dim=-1, keepdim=True))
    said = _stop_the_clock()
    pace = Pace((read - begin) / (len(batch) * max(map(len, batch))), (said - read) / (len(batch) * _DECODED))
    return said - begin, pace


def time_update(language_model: LanguageModel, stage: Stage, retention: Retention | None) -> float:
    """Seconds of one update of a stage. Its learning rate is 0, so no weight is changed."""
    if not stage.examples:
        return 0.0
    still = stage.settings.with_epochs(2).model_copy(update={"learning_rate": 0.0})
    few = replace(stage, examples=stage.examples[: still.batch_size], earlier=0, rehearsed=0)
    one = replace(few, settings=still, stop_at_recall=None, finish=None)
    if retention and stage.retains:
        retention.build_terms(0)  # has the untrained model read the texts, which is done once
    ends: list[float] = []
    train_stage(
        language_model, one, PhaseContext(retention=retention, on_progress=lambda *_: ends.append(_stop_the_clock()))
    )
    return ends[1] - ends[0]  # the first one prepares what the next ones find ready


def _stop_the_clock() -> float:
    """The time, once the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic()


def draw_texts(vocabulary: int, settings: RetainConfig) -> list[list[int]]:
    """Texts that take as long to hold as those of the model's own, which it would take long to write."""
    draw = random.Random(0)
    count = min(settings.texts, settings.batch_size)
    return [[draw.randrange(vocabulary) for _ in range(settings.tokens)] for _ in range(count)]


def measure_memory() -> int | None:
    """The memory of this machine in bytes: of the GPU where there is one. None where the system does not say."""
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    if not hasattr(os, "sysconf"):  # Windows
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def measure_peak() -> int | None:
    """The most memory that this process ever had, in bytes: of the GPU where there is one. None where the system does
    not say."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return None
    import resource  # not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
