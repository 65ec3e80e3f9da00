"""An examination as a task of lm-evaluation-harness: YAML, JSON Lines and the few functions the two need. No torch.

The folder can be moved and shared: it holds its own copy of the matcher, and needs lm-eval but not Rote.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rote.facts import names

FUNCTIONS = "rote_task.py"
_FUNCTIONS = '''

# What lm-evaluation-harness calls.

import json
from pathlib import Path

import datasets


def load_generation(**_):
    return _load("generation.jsonl")


def load_choice(**_):
    return _load("choice.jsonl")


def _load(name):
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}


def score_generation(doc, results):
    return {"generation_accuracy": float(contains_answer(results[0], doc["answers"]))}


def score_choice(doc, results):
    """By mean log-probability per token, as the paper does; `acc` is by their sum."""
    sums = [result[0] for result in results]
    means = [total / count for total, count in zip(sums, doc["tokens"], strict=True)]
    others = [mean for place, mean in enumerate(means) if place != doc["gold"]]
    best = max(range(len(sums)), key=sums.__getitem__)
    return {
        "choice_accuracy": float(means[doc["gold"]] > max(others)),
        "acc": float(best == doc["gold"]),
        "object_loglikelihood": sums[doc["gold"]],
    }
'''


class _Call(str):
    """The name of a function, as lm-eval writes it in YAML."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Call, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


@dataclass(frozen=True)
class TaskItem:
    """One question: what is asked, what counts as right, and where it is a choice the candidates."""

    context: str
    answers: tuple[str, ...]
    choices: tuple[str, ...]
    """Each candidate with what separates it from the context; none where it is no choice."""
    tokens: tuple[int, ...]
    """How many tokens each candidate has for the tokenizer of the model that was examined."""
    gold: int
    note: dict[str, str]
    """Relation, subject, language ...: what results can be grouped by."""


def write_task(items: Sequence[TaskItem], name: str, folder: Path) -> list[str]:
    """Write the tasks `NAME_generation` and `NAME_choice` into an empty folder; returns the names of those written."""
    choices = [item for item in items if item.choices]
    written = {f"{name}_generation": _generation(name)}
    _write_lines(folder / "generation.jsonl", [_describe(item) for item in items])
    if choices:
        written[f"{name}_choice"] = _choice(name)
        _write_lines(folder / "choice.jsonl", [_describe_choice(item) for item in choices])
    for task, content in written.items():
        (folder / f"{task}.yaml").write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False), encoding="utf-8")
    source = Path(names.__file__).read_text(encoding="utf-8")
    (folder / FUNCTIONS).write_text(source + _FUNCTIONS, encoding="utf-8")
    return list(written)


def _generation(name: str) -> dict[str, Any]:
    return _build_task(
        name,
        "generation",
        ("generation_accuracy",),
        {
            "output_type": "generate_until",
            "doc_to_target": "{{answers[0]}}",
            "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": 50},
        },
    )


def _choice(name: str) -> dict[str, Any]:
    return _build_task(
        name,
        "choice",
        ("choice_accuracy", "acc", "object_loglikelihood"),
        {
            "output_type": "multiple_choice",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
            "target_delimiter": "",
        },
    )


def _build_task(name: str, kind: str, metrics: Sequence[str], asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": f"{name}_{kind}",
        "custom_dataset": _Call(f"rote_task.load_{kind}"),
        "test_split": "test",
        "doc_to_text": "context",
        **asked,
        "process_results": _Call(f"rote_task.score_{kind}"),
        "metric_list": [_metric(metric) for metric in metrics],
        "metadata": {"version": 1.0},
    }


def _metric(name: str) -> dict[str, Any]:
    return {"metric": name, "aggregation": "mean", "higher_is_better": True}


def _describe(item: TaskItem) -> dict[str, Any]:
    return {"context": item.context, "answers": list(item.answers), **item.note}


def _describe_choice(item: TaskItem) -> dict[str, Any]:
    choice = {"choices": list(item.choices), "tokens": list(item.tokens), "gold": item.gold}
    return {**_describe(item), **choice}


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
