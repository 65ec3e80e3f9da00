"""How the cost of a fact changes with the number of facts; each number has a process of its own, for its memory."""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import rote
from benchmarks.models import build_model, in_float32
from benchmarks.pairs import Row, Spent, read_clocks
from rote.methods.memorize_then_generalize import build_memorize_stage
from rote.methods.teaching import PhaseContext, Stage, train_stage
from rote.models.language_model import LanguageModel

WORK = (
    "Seconds of the processor per fact, for encoding and for an epoch of memorize, timed over its own steps, 60 at "
    "most and without the first two; and memory at its peak beyond what the model took when it was loaded."
)
SIZES = (100, 1_000, 10_000, 100_000)
_NAMES = 10_000
"""Names that are invented at most."""
_STEPS = {"rote-tiny": 60, "llama-135m": 7}
_SKIPPED = 2
_STATUS = Path("/proc/self/status")


class _EnoughError(Exception):
    """So many steps have been timed as were asked for."""


def run(name: str) -> list[Row]:
    """The rows of `scaling`; not a ratio, so nothing alternates."""
    return [_measure_apart(name, count) for count in SIZES]


def _measure_apart(name: str, count: int) -> Row:
    command = [sys.executable, "-m", "benchmarks.scaling", name, str(count)]
    row: Row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return row


def measure(name: str, count: int) -> Row:
    """What so many facts cost, each."""
    model = build_model(name)
    before = _read_memory("VmRSS")
    facts = _invent(count)
    start = read_clocks()
    stage = build_memorize_stage(model, facts, rote.MemorizeConfig(epochs=1))
    encoding = read_clocks().since(start)
    clocks = _train(model, stage, _STEPS[name])
    step = clocks[-1].since(clocks[_SKIPPED - 1]).share(len(clocks) - _SKIPPED)
    return {
        "benchmark": "scaling",
        "model": name,
        "facts": count,
        "encode_ms": round(1000 * encoding.cpu / count, 3),
        "memorize_ms": round(1000 * step.cpu / stage.settings.batch_size, 3),
        "steps": len(clocks) - _SKIPPED,
        "memory_mb": round(_read_memory("VmHWM") - before),
    }


def _invent(count: int) -> list[rote.Fact]:
    """So many facts of `mother`. More than there are names for are told apart by a number, which all of them have."""
    names = rote.invent_table([rote.load_relations()["mother"]], count=min(count, _NAMES), seed=7).facts
    return [
        replace(names[index % _NAMES], subject=f"{names[index % _NAMES].subject} {10 + index // _NAMES}")
        for index in range(count)
    ]


def _train(model: LanguageModel, stage: Stage, most: int) -> list[Spent]:
    """The clocks after each step of the first epoch, or after so many steps."""
    clocks: list[Spent] = []

    def note(done: int, steps: int, loss: float) -> None:
        clocks.append(read_clocks())
        if done == most:
            raise _EnoughError

    with suppress(_EnoughError):
        train_stage(model, stage, PhaseContext(on_progress=note))
    return clocks


def _read_memory(key: str) -> float:
    """Resident memory of this process in MB, now (`VmRSS`) or at its peak (`VmHWM`), as Linux tells it."""
    fields: dict[str, Any] = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="ascii").splitlines())
    return int(fields[key].split()[0]) / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    with in_float32():
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
