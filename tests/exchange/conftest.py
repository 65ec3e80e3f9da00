"""A run folder written by hand: twelve facts, three moments, right and wrong answers, no model."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rote.facts.fact import Fact, FactObject, FactTable
from rote.facts.reading import save_table
from rote.records import MOMENTS, Record, save_records
from rote.runs.folder import RunFolder, write_json

FACTS = tuple(Fact(f"Ann Bell {n}", "mother", (FactObject(f"Mia Dorn {n}", (f"M. Dorn {n}",)),)) for n in range(12))
SHARES = {"before": 0.1, "memorize": 0.5, "generalize": 0.8}
PROMPTS = {
    "key": ("{} [X1]",),
    "training": ("Who is {}'s mother?",),
    "held_out": ("The mother of {} is", "{} is a child of"),
    "control": ("{} was born in",),
}


def build_records(moment: str, share: float = 0.5, seed: int = 0) -> list[Record]:
    """Every fact asked by every prompt; every other question of a held-out prompt is a choice."""
    rng = random.Random(seed)
    records = []
    for number, fact in enumerate(FACTS):
        for prompt_set, texts in PROMPTS.items():
            for place, text in enumerate(texts):
                right = rng.random() < share
                chosen = prompt_set == "held_out" and place == 0
                values: dict[str, Any] = {
                    "fact_set": "generalize" if number < 4 else "held_out",
                    "prompt_set": prompt_set,
                    "language": "-" if prompt_set == "key" else "en",
                }
                records.append(
                    Record(
                        moment=moment,
                        relation=fact.relation,
                        subject=fact.subject,
                        object=fact.object,
                        prompt=text.format(fact.subject),
                        generated=f" {fact.object}" if right else " nobody",
                        correct=right,
                        object_logprobs=(-0.5, -rng.random()),
                        object_probability=0.3,
                        rank=(1 if rng.random() < share else 3) if chosen else None,
                        candidates=12 if chosen else None,
                        **values,
                    )
                )
    return records


def write_run(path: Path, seed: int = 0) -> RunFolder:
    """A folder as a finished run leaves it, as far as its records go."""
    folder = RunFolder(path)
    folder.records("before").parent.mkdir(parents=True)
    for number, (moment, share) in enumerate(SHARES.items()):
        save_records(build_records(moment, share, seed + number), folder.records(moment))
    save_table(FactTable(FACTS), folder.table)
    model, table = {"name": "org/tiny", "hash": "x"}, {"name": "facts.csv", "hash": "y"}
    write_json(folder.identity, {"table": table, "model": model, "files": {}, "loading": {}})
    stages = [{"name": name} for name in MOMENTS[1:]]
    date = "2026-03-02T14:10:00+00:00"
    write_json(folder.manifest, {"moments": list(MOMENTS), "stages": stages, "date": date})
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "mine")


def ask_otherwise(records: list[Record]) -> list[Record]:
    """The same questions with all answers right."""
    return [replace(record, correct=True) for record in records]
