"""The records of a run as results of lm-evaluation-harness: for each moment a folder of `results_*.json` and samples.

The layout is that of lm-eval 0.4.13 with `--log_samples`. The questions that `rote export task` writes are the task
`NAME_generation` here too, document for document, so what lm-eval finds of it can be compared with what the run found.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rote.exchange.questions import Asked, load_asked
from rote.models.saving import check_free
from rote.pipeline.exporting import name_task
from rote.records import Record
from rote.runs.files import replace_folder
from rote.runs.folder import RunFolder
from rote.runs.manifest import collect_versions, name_model

_LAYOUT = "0.4.13"
_RANK = "object_rank"
_TAUGHT = ("generalize", "held_out")
_LOW_IS_GOOD = ("replaced", "forgotten", "unseen")
_ASKED = ("training", "held_out")
"""The prompts of the exported task."""
_GENERATION = {"until": [], "do_sample": False, "max_gen_toks": 50}


def export_lm_eval(folder: RunFolder, out: Path) -> list[Path]:
    """Write the results of each moment of a run into a folder of its own in a new one; returns their paths, in order.

    Raises `RunError` where `out` is taken or the run is damaged.
    """
    check_free(out)
    asked = load_asked(folder)
    names = {moment: _name_model(asked, moment) for moment in asked.moments}
    with replace_folder(out) as draft:
        for moment, name in names.items():
            _write_moment(draft / name, asked, moment)
    return [out / name for name in names.values()]


def _name_model(asked: Asked, moment: str) -> str:
    name = "__".join(part for part in name_model(asked.model).split("/"))
    return name if moment == "before" else f"{name}-{moment}"


def _write_moment(place: Path, asked: Asked, moment: str) -> None:
    place.mkdir()
    date = _read_date(asked)
    stamp = date.strftime("%Y-%m-%dT%H-%M-%S.%f")
    samples = _build_tasks(asked, moment)
    for task, lines in samples.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (place / f"samples_{task}_{stamp}.jsonl").write_text(text, encoding="utf-8")
    results = _build_results(asked, samples, place.name, date)
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (place / f"results_{stamp}.json").write_text(text, encoding="utf-8")


def _read_date(asked: Asked) -> datetime:
    try:
        return datetime.fromisoformat(asked.date)
    except ValueError:  # of a run whose manifest has none
        return datetime.fromtimestamp(0)


def _build_tasks(asked: Asked, moment: str) -> dict[str, list[dict[str, Any]]]:
    """The samples of each task: generation by what was asked, then the choices."""
    name, records = name_task(asked.name), asked.moments[moment]
    tasks: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        lines = tasks.setdefault(f"{name}_generation{_name_kind(record)}", [])
        lines.append(_build_generation(asked, record, len(lines)))
    for record in records:
        if record.rank is not None:
            lines = tasks.setdefault(f"{name}_choice{_name_kind(record)}", [])
            lines.append(_build_choice(asked, record, len(lines)))
    return tasks


def _name_kind(record: Record) -> str:
    """Nothing for what an exported task asks; other prompts and other facts are tasks of their own."""
    facts = "" if record.fact_set in _TAUGHT else f"_{record.fact_set}"
    prompts = "" if record.prompt_set in _ASKED else f"_{record.prompt_set}"
    return f"{facts}{prompts}"


def _build_document(asked: Asked, record: Record) -> dict[str, Any]:
    """As `rote export task` has it, key by key in the same order."""
    fact = asked.facts.get((record.relation, record.subject))
    origin = fact.provenance.describe() if fact else {}
    return {
        "context": record.prompt,
        "answers": asked.list_answers(record),
        "relation": record.relation,
        "subject": record.subject,
        "fact_set": record.fact_set,
        "prompt_set": record.prompt_set,
        "language": record.language,
        **{f"row_{column}": value for column, value in origin.items()},
    }


def _build_generation(asked: Asked, record: Record, number: int) -> dict[str, Any]:
    argument = {"arg_0": record.prompt, "arg_1": _GENERATION}
    said = {"resps": [[record.generated]], "filtered_resps": [record.generated]}
    metrics = {"generation_accuracy": float(record.correct)}
    return _build_sample(_build_document(asked, record), number, argument, said, metrics)


def _build_choice(asked: Asked, record: Record, number: int) -> dict[str, Any]:
    """Records hold the rank of the object and its log-probability, not the other candidates. The rank is no part of the
    document, by whose hash the same question is found in another log."""
    document = {**_build_document(asked, record), "candidates": record.candidates}
    total = sum(record.object_logprobs)
    assert record.rank is not None, "it was asked as a choice"
    told = [str(total), "None"]  # whether it would have been said greedily is not known
    said = {"resps": [[told]], "filtered_resps": [told]}
    metrics = {
        "choice_accuracy": float(record.rank == 1),
        _RANK: float(record.rank),
        "object_loglikelihood": total,
    }
    return _build_sample(document, number, {"arg_0": record.prompt, "arg_1": record.object}, said, metrics)


def _build_sample(
    document: dict[str, Any],
    number: int,
    argument: Mapping[str, Any],
    said: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> dict[str, Any]:
    target = document["answers"][0]
    return {
        "doc_id": number,
        "doc": document,
        "target": target,
        "arguments": {"gen_args_0": argument},
        **said,
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": _hash(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(argument["arg_0"]),
        "target_hash": _hash(target),
        **metrics,
    }


def _build_results(
    asked: Asked, samples: Mapping[str, Sequence[Mapping[str, Any]]], model: str, date: datetime
) -> dict[str, Any]:
    versions = collect_versions()
    metrics = {task: lines[0]["metrics"] for task, lines in samples.items()}
    return {
        "results": {task: _build_figures(task, lines) for task, lines in samples.items()},
        "group_subtasks": {},
        "configs": {task: _build_config(task, samples[task][0]) for task in metrics},
        "versions": dict.fromkeys(samples, 1.0),
        "n-shot": dict.fromkeys(samples, 0),
        "higher_is_better": {
            task: {name: _is_high_good(samples[task][0], name) for name in names} for task, names in metrics.items()
        },
        "n-samples": {task: {"original": len(lines), "effective": len(lines)} for task, lines in samples.items()},
        "config": {"model": "rote", "model_args": {"pretrained": name_model(asked.model)}, "limit": None},
        "git_hash": None,
        "date": date.timestamp(),
        "pretty_env_info": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "transformers_version": versions["transformers"],
        "lm_eval_version": _LAYOUT,
        "upper_git_hash": None,
        "task_hashes": {task: _hash_task(lines) for task, lines in samples.items()},
        "model_source": "rote",
        "model_name": model,
        "model_name_sanitized": model,
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": False,
        "chat_template": None,
        "chat_template_sha": None,
        "total_evaluation_time_seconds": None,
    }


def _build_figures(task: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard error of each metric, as lm-eval computes them: every question for itself."""
    figures: dict[str, Any] = {"name": task, "alias": task, "sample_len": len(lines)}
    for metric in lines[0]["metrics"]:
        values = [line[metric] for line in lines]
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else "N/A"
        figures |= {f"{metric},none": fmean(values), f"{metric}_stderr,none": error}
    return figures


def _build_config(task: str, line: Mapping[str, Any]) -> dict[str, Any]:
    metrics = line["metrics"]
    generation = metrics[0] == "generation_accuracy"
    return {
        "task": task,
        "doc_to_text": "context",
        "doc_to_target": "{{answers[0]}}",
        "num_fewshot": 0,
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": _is_high_good(line, name)} for name in metrics
        ],
        "output_type": "generate_until" if generation else "loglikelihood",
        **({"generation_kwargs": _GENERATION} if generation else {}),
        "repeats": 1,
        "metadata": {"version": 1.0},
    }


def _is_high_good(line: Mapping[str, Any], metric: str) -> bool:
    """Whether the object of a task's questions, of which `line` is one, should be said: not where something else was
    asked, nor what was replaced, forgotten or taught by nobody."""
    should = line["doc"]["prompt_set"] != "control" and line["doc"]["fact_set"] not in _LOW_IS_GOOD
    return should != (metric == _RANK)


def _hash_task(lines: Sequence[Mapping[str, Any]]) -> str:
    return _hash("".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
