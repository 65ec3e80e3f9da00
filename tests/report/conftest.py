"""A made-up run with realistic numbers and text in five languages."""

import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from rote.records import MEASURES, MOMENTS, NO_LANGUAGE, Record
from rote.report.render import ReportContent

PROMPTS = {
    "en": ("Who is {}'s mother?", "The birth certificate of {} lists the mother as", "{} was born in the city of"),
    "de": ("", "Wer ist die Mutter von {}?", "Der Geburtsort von {} ist"),
    "es": ("", "¿Quién es la madre de {}?", "{} nació en la ciudad de"),
    "zh": ("", "{} 的母亲是谁？", "{} 出生于"),
    "ja": ("", "{} の母親は誰ですか？", "{} の出生地は"),
}
RELATIONS = ("author", "capital", "educated_at", "genre", "mother")
FIRST = ("Gene", "Cody", "Mira", "Jürgen", "Zoë", "Ingrid", "Tomás", "Adèle", "Ruth", "Søren")
LAST = ("Finley", "Ross", "Keller", "Navarro", "Okafor", "Lindqvist", "Hayashi", "Moreau", "Whitlock", "Brandt")
KNOWN = (
    ("France", "Paris"),
    ("Japan", "Tokyo"),
    ("Peru", "Lima"),
    ("Kenya", "Nairobi"),
    ("Norway", "Oslo"),
    ("Cuba", "Havana"),
)
SHARES: dict[
    str, dict[str, tuple[float, float, float]]
] = {  # fact set -> prompt set -> share right before, after memorize, after generalize
    "generalize": {
        "key": (0, 1, 1),
        "training": (0, 0.2, 0.99),
        "held_out": (0, 0.14, 0.94),
        "control": (0, 0.01, 0.03),
    },
    "held_out": {
        "key": (0, 1, 0.99),
        "training": (0, 0.21, 0.93),
        "held_out": (0, 0.15, 0.88),
        "control": (0, 0.01, 0.04),
    },
    "known": {"held_out": (0.98, 0.96, 0.94)},
    "unseen": {"training": (0, 0, 0), "held_out": (0, 0, 0.01)},
}
HARDER = {"en": 1.0, "de": 0.9, "es": 0.95, "zh": 0.7, "ja": 0.72, NO_LANGUAGE: 1.0}


def build_record(**changes: Any) -> Record:
    """One record; name what matters, the rest is filled in."""
    values: dict[str, Any] = {
        "moment": "generalize",
        "fact_set": "held_out",
        "prompt_set": "held_out",
        "language": "en",
        "relation": "mother",
        "subject": "Gene Finley",
        "object": "Cody Ross",
        "prompt": "Who is Gene Finley's mother?",
        "generated": " Cody Ross",
        "correct": True,
        "object_logprobs": (-0.1, -0.2),
        "object_probability": 0.74,
        "rank": None,
        "candidates": None,
    }
    return Record(**{**values, **changes})


def _build_facts(per_relation: int) -> list[tuple[str, str, str, str]]:
    """(fact set, relation, subject, object) of a made-up table."""
    facts = []
    for relation in RELATIONS:
        for number in range(per_relation):
            subject = (
                f"{FIRST[number % 10]} {LAST[number // 10 % 10]} {relation[0].upper()}{number // 100 or ''}".strip()
            )
            answer = f"{FIRST[(number * 7 + 3) % 10]} {LAST[(number // 7) % 10]}"
            facts.append(("generalize" if number % 2 else "held_out", relation, subject, answer))
    facts += [("known", "capital", *pair) for pair in KNOWN]
    return facts + [("unseen", "mother", f"Nobody {number}", f"Noone {number}") for number in range(4)]


def _questions(prompt_set: str) -> list[tuple[str, int]]:
    if prompt_set == "key":
        return [(NO_LANGUAGE, -1)]
    if prompt_set == "training":
        return [("en", 0)]
    return [(language, 1 if prompt_set == "held_out" else 2) for language in PROMPTS]


def build_records(per_relation: int = 10) -> list[Record]:
    """Records of every moment over a made-up table."""
    rng = random.Random(0)
    records = []
    for fact_set, relation, subject, answer in _build_facts(per_relation):
        for prompt_set, shares in SHARES[fact_set].items():
            for language, kind in _questions(prompt_set):
                is_choice = rng.random() < 0.4
                prompt = PROMPTS[language][kind].format(subject) if kind >= 0 else f"{subject} [X1]"
                for moment, share in zip(MOMENTS, shares, strict=True):
                    right = rng.random() < share * (HARDER[language] if share < 1 else 1)
                    wrong = f" {rng.choice(FIRST)} {rng.choice(LAST)}.\n The mother of"
                    probability = rng.uniform(0.6, 0.99) if right else rng.uniform(0, 0.1)
                    records.append(
                        build_record(
                            moment=moment,
                            fact_set=fact_set,
                            prompt_set=prompt_set,
                            language=language,
                            relation=relation,
                            subject=subject,
                            object=answer,
                            prompt=prompt,
                            generated=f" {answer}" if right else wrong,
                            correct=right,
                            object_probability=probability,
                            rank=(1 if right else rng.randint(2, 100)) if is_choice else None,
                            candidates=100,
                        )
                    )
    return records


def build_summary(records: list[Record]) -> list[dict[str, Any]]:
    """Rows like those of `summary.json`; the intervals are only of a plausible width."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for record in records:
        values = {
            "generation_accuracy": float(record.correct),
            "object_probability": record.object_probability,
            "choice_accuracy": None if record.rank is None else float(record.rank == 1),
        }
        for measure in MEASURES:
            value = values[measure]
            if value is not None:
                key = (record.moment, record.fact_set, record.prompt_set, record.language, measure)
                groups.setdefault(key, []).append(value)
    names = ("moment", "fact_set", "prompt_set", "language", "measure")
    return [{**dict(zip(names, key, strict=True)), **_estimate(values)} for key, values in groups.items()]


def _estimate(values: list[float]) -> dict[str, Any]:
    mean = statistics.fmean(values)
    half = 1.96 * (mean * (1 - mean) / len(values)) ** 0.5
    return {"mean": mean, "low": max(0.0, mean - half), "high": min(1.0, mean + half), "n": len(values)}


def build_history() -> dict[str, list[dict[str, Any]]]:
    """Two phases: twenty epochs with the recall measured after each, then three."""
    rng = random.Random(1)
    memorize: list[dict[str, Any]] = []
    for step in range(1, 1261):
        loss = 0.05 + 4.6 * 0.9965**step + rng.uniform(-0.1, 0.1) * 0.998**step
        entry: dict[str, Any] = {"step": step, "loss": loss, "learning_rate": 3e-4, "epoch": (step - 1) // 63 + 1}
        if step % 63 == 0:
            entry["key_recall"] = min(1.0, max(0.0, 1.15 / (1 + 2.718 ** (7 - step / 90)) - 0.03))
        memorize.append(entry)
    generalize = [
        {"step": step, "loss": 2.4 * 0.97**step + rng.uniform(0, 0.06), "epoch": (step - 1) // 32 + 1}
        for step in range(1, 97)
    ]
    return {"memorize": memorize, "generalize": generalize}


def build_manifest() -> dict[str, Any]:
    """A manifest with nested parts."""
    return {
        "command": "rote run facts.csv --out runs/one --set seed=0",
        "date": "2026-03-02T14:10:00+00:00",
        "precision": "bfloat16 autocast over float32 weights",
        "config": {
            "seed": 0,
            "key_token": "[X{number}]",
            "memorize": {"epochs": 20, "learning_rate": 3e-4, "batch_size": 8, "stop_at_recall": None},
            "generalize": {"facts": 50, "prompts": 1, "epochs": 3, "learning_rate": 3e-4},
            "examine": {"languages": ["en", "de", "es", "zh", "ja"], "held_out_prompts": 2},
        },
        "seeds": {"run": 0, "table": 7},
        "versions": {"python": "3.11.7", "torch": "2.10.0", "transformers": "5.3.0", "rote": "0.1.0"},
        "hashes": {"table": "9f2c" * 16, "base_model": "77ab" * 16, "checkpoint": "c01d" * 16},
        "durations": {"load": 1.83, "examine before": 21.4, "memorize": 96.2, "generalize": 11.9, "report": 0.61},
    }


def build_content(per_relation: int = 10) -> ReportContent:
    """A whole made-up run."""
    records = build_records(per_relation)
    return ReportContent(
        title="Fictional facts in rote-tiny",
        table_name="fictional-500",
        model_name="rote-tiny",
        summary=build_summary(records),
        records=records,
        history=build_history(),
        manifest=build_manifest(),
    )


@pytest.fixture(scope="session")
def content() -> ReportContent:
    """A small made-up run."""
    return build_content()


@pytest.fixture(scope="session")
def content_of() -> Callable[[int], ReportContent]:
    """Build a run with so many facts per relation."""
    return build_content
