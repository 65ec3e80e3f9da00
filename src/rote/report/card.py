"""The model card of a taught model: what was taught, from which table, and what was measured. Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rote.figures import read_figure
from rote.records import NO_LANGUAGE, order_moments
from rote.report.display import clean_text, format_figure
from rote.report.lines import describe_loss
from rote.report.words import FACT_SETS, label_moment, label_prompts
from rote.runs.manifest import name_model

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_NO_NAME = re.compile(r"[^\w./]+|-{2,}")
"""What no name on the hub has; `---` would end the header."""
_OURS = "memorize_then_generalize"
_PIPE = str.maketrans({"|": "\\|", "<": "&lt;"})


def render_card(
    manifest: Mapping[str, Any],
    summary: Sequence[Mapping[str, Any]],
    side_effects: Sequence[Mapping[str, Any]],
    *,
    library: str,
    licence: Mapping[str, str] | None = None,
) -> str:
    """The text of README.md in a model's folder, with the header that the Hugging Face hub reads.

    `licence`: the keys of that header that say the base model's, where it says one.
    """
    table, config = manifest["table"], manifest["config"]
    model = {**manifest["model"], "name": name_model(manifest["model"]["name"])}
    header = {**(licence or {}), **_build_header(model["name"], table["name"], summary, library)}
    about = [
        f"# {_clean(table['name'])} taught to {_clean(model['name'])}",
        "",
        _describe_method(manifest),
        "",
        f"- table: {_clean(table['name'])}, hash `{table['hash']}`",
        f"- base model: {_clean(model['name'])}, hash `{model['hash']}`",
        f"- tuning: {config['tuning']}; key strategy: {config['key_strategy']}; seed: {manifest['seed']}",
        f"- saved and loaded again in a fresh process: {_describe_proof(manifest.get('saved') or {})}",
        "",
        *_describe_labels(manifest["labels"]),
        "## Generation accuracy",
        "",
        *_build_table(summary),
        "",
    ]
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n" + "\n".join([*about, *_build_rings(side_effects)])


def _describe_method(manifest: Mapping[str, Any]) -> str:
    config = manifest["config"]
    if config.get("method", _OURS) != _OURS:
        return f"{manifest['facts']} facts, by the method {_clean(config['method'])}."
    return (
        f"{manifest['facts']} facts were taught by memorize-then-generalize: all behind a key token without meaning, "
        f"then {manifest['generalize_facts']} of them behind {_describe_prompts(config['generalize']['prompts'])}."
    )


def _build_header(base: str, table: str, summary: Sequence[Mapping[str, Any]], library: str) -> dict[str, Any]:
    """What the hub finds a model by. Languages are those it was asked in."""
    languages = list(dict.fromkeys(row["language"] for row in summary if row["language"] != NO_LANGUAGE))
    named = {"base_model": base} if _HUB_NAME.fullmatch(base) else {}
    return {
        **({"language": languages} if languages else {}),
        "library_name": library,
        "pipeline_tag": "text-generation",
        **named,
        "datasets": [_name_slug(table)],
        "tags": ["rote", "knowledge-injection"],
        "model-index": [{"name": f"{_name_slug(base)}-{_name_slug(table)}", "results": _build_results(table, summary)}],
    }


def _build_results(table: str, summary: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Generation accuracy at the end for each kind of question, as the hub's index of models has it."""
    rows = [row for row in summary if row["measure"] == "generation_accuracy"]
    last = order_moments(row["moment"] for row in rows)[-1:]
    return [
        {
            "task": {"type": "text-generation", "name": "Answering what was taught"},
            "dataset": {"type": _name_slug(table), "name": _name_slug(table)},
            "metrics": [
                {
                    "type": "accuracy",
                    "name": f"generation accuracy, {_label_questions(row)}",
                    "value": row["mean"],
                    "args": {"low": row["low"], "high": row["high"], "questions": row["n"]},
                }
                for row in rows
                if row["moment"] in last
            ],
        }
    ]


def _label_questions(row: Mapping[str, Any]) -> str:
    facts = FACT_SETS.get(row["fact_set"], row["fact_set"])
    return f"{facts}, {label_prompts(row['prompt_set'], row['language'])}"


def _name_slug(name: str) -> str:
    return _NO_NAME.sub("-", name).strip("-")


def _describe_prompts(count: int | str) -> str:
    """How many prompts of its relation a fact was shown behind."""
    return "every training prompt of their relation" if count == "all" else f"{count} training prompt(s) each"


def _describe_labels(labels: Mapping[str, int]) -> list[str]:
    """What the model knew before, where it was asked."""
    if not labels:
        return []
    known = ", ".join(f"{count} {label}" for label, count in labels.items())
    return [f"Of {sum(labels.values())} of these facts that were asked about before teaching: {known}.", ""]


def _describe_proof(saved: Mapping[str, Any]) -> str:
    found = [
        f"{name}: {proof['prompts']} answers the same, logits differ by {proof['max_logit_difference']:.1e} at most"
        for name, proof in saved.items()
    ]
    return "; ".join(found) or "not checked"


def _build_table(summary: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [row for row in summary if row["measure"] == "generation_accuracy"]
    moments = order_moments(row["moment"] for row in rows)
    groups = dict.fromkeys((row["fact_set"], row["prompt_set"], row["language"]) for row in rows)
    lines = [
        "| facts | asked by | " + " | ".join(label_moment(moment) for moment in moments) + " |",
        "|---|---|" + "---|" * len(moments),
    ]
    for fact_set, prompt_set, language in groups:
        cells = []
        for moment in moments:
            key = (moment, fact_set, prompt_set, language)
            found = (row for row in rows if (row["moment"], row["fact_set"], row["prompt_set"], row["language"]) == key)
            row = next(found, None)
            cells.append(format_figure(read_figure(row) if row else None))
        lines.append(
            f"| {FACT_SETS.get(fact_set, fact_set)} | {label_prompts(prompt_set, language)} | {' | '.join(cells)} |"
        )
    return lines


def _build_rings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["## What else changed", "", "Lost: right before, wrong after. Won: wrong before, right after.", ""]
    for row in rows:
        name, found = describe_loss(row)
        lines.append(f"- {_clean(name)}: {_clean(found)}")
    return [*lines, ""]


def _clean(text: str) -> str:
    return clean_text(text).translate(_PIPE)
