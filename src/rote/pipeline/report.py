"""From a finished job to the files of a run folder that people and programs read: figures, cards, the report."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rote.errors import RunError
from rote.evaluation.knowledge import Belief, KnowledgeRow, compute_false_confidence, compute_knowledge, read_beliefs
from rote.evaluation.side_effects import ChangeRow, LossRow, Taught, compute_rings, compute_task_row, compute_text_row
from rote.evaluation.statistics import Values
from rote.evaluation.summary import SummaryRow, compute_by_relation, compute_summary
from rote.evaluation.verdict import judge_run
from rote.facts.reading import load_table
from rote.models.licences import read_licence
from rote.pipeline.plan import Plan
from rote.pipeline.retention_matrix import build_matrix
from rote.report.card import render_card
from rote.report.fact_rows import TaughtFact, build_fact_rows, save_fact_rows
from rote.report.render import ReportContent, render_report
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.ledger import Ledger, save_ledger
from rote.runs.moments import load_all_records, save_all_records
from rote.runs.shapes import Comparison, Identity, Manifest, Retained, Served, build_shape, read_shaped
from rote.runs.store import JobResult, Store

_BULKY = ("code", "name", "config", "labels", "beliefs", "passages", "tasks", "representations", "points", "seconds")
"""Parts of an outcome that a manifest has elsewhere, or does not need."""

_SUMMARY = build_shape(SummaryRow)
_ODD = re.compile(r"[^\w./-]")
"""What a name has that YAML may read as something else."""


def write_records(folder: RunFolder, job: JobResult, store: Store) -> None:
    """The records of each moment, and the history of each stage."""
    save_all_records(folder, job.records)
    for stage in job.outcome["stages"]:
        write_json(folder.history(stage["name"]), read_json(store.stage(stage["kept"]).history))


def write_figures(folder: RunFolder, job: JobResult, plan: Plan) -> None:
    """Every figure of a job, from its records and from what else it measured."""
    moments = list(dict.fromkeys(record.moment for record in job.records))
    first, last = moments[0], moments[-1]
    beliefs = {moment: _read_beliefs(job, moment) for moment in (first, last)}
    rows = compute_knowledge(job.records, {(belief.relation, belief.subject): belief for belief in beliefs[first]})
    unseen = {(fact.relation, fact.subject) for fact in plan.unseen_facts}
    for moment, found in beliefs.items():
        invented = [belief for belief in found if (belief.relation, belief.subject) in unseen]
        if invented:
            rows.append(compute_false_confidence(moment, invented))
    taught = Taught({fact.subject for fact in plan.table}, set(plan.table.relations))
    budget = plan.config.side_effects.budget
    rings = compute_rings(job.records, taught, budget=budget)
    text, tasks = (job.outcome[kind] for kind in ("passages", "tasks"))
    write_json(folder.side_effects, [*rings, *_build_text_rows(text, budget), *_build_task_rows(tasks, budget)])
    write_json(folder.knowledge, rows)
    write_json(folder.relations, compute_by_relation(job.records))
    write_json(folder.summary, compute_summary(job.records))


def write_ledger(folder: RunFolder, ledger: Ledger) -> None:
    """The ledger into each folder of the model, and the figures of all tables where there were earlier ones."""
    for place in (folder.model, folder.adapter):
        if place.is_dir():
            save_ledger(ledger, place)
    if len(ledger.tables) > 1:
        write_json(folder.retention, build_matrix(ledger))


def build_manifest(job: JobResult, plan: Plan, folder: RunFolder) -> dict[str, Any]:
    """Everything needed to judge and repeat a run, but for what the run itself knows."""
    facts = {key: value for key, value in job.outcome.items() if key not in _BULKY}
    identity = read_json(folder.identity)
    return {
        **identity,
        **facts,
        "code": job.outcome["code"],
        "seed": plan.config.seed,
        "memorized": _describe_memorized(folder),
        "labels": _count_labels(job, plan),
    }


def describe_verdict(folder: RunFolder, plan: Plan, command: str) -> dict[str, Any] | None:
    """The verdict on a run from its figures, and the command to try next; None where nothing taught was asked about."""
    config = read_json(folder.identity)["config"]
    prompts = max(len(plan.relations[name].select_training("all")) for name in plan.table.relations)
    neutral = [name for name in plan.neutral if name in plan.table.relations]
    summary, side_effects = read_json(folder.summary), read_json(folder.side_effects)
    verdict = judge_run(summary, side_effects, config, prompts=prompts, neutral=neutral)
    if verdict is None:
        return None
    following = _change_command(command, verdict.changes) if verdict.changes else ""
    return {**asdict(verdict), "sentence": verdict.sentence, "is_failure": verdict.is_failure, "next": following}


def _change_command(command: str, changes: Mapping[str, Any]) -> str:
    """The same command with other settings and another folder; the settings alone where it was no command."""
    settings = [word for key, value in changes.items() for word in ("--set", f"{key}={_write_value(value)}")]
    words = [part for word in _split(command) if word != "--resume" for part in _part(word)]
    for index in reversed(range(1, len(words))):
        if words[index - 1] == "--set" and words[index].split("=")[0] in changes:
            del words[index - 1 : index + 1]
    if "--out" in words[:-1]:
        place = words.index("--out") + 1
        words[place] = f"{words[place]}-next"
    return shlex.join([*words, *settings])


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a text of somebody's own, with a quotation mark in it
        return []


def _part(word: str) -> list[str]:
    """`--out=DIR` as two words, as `--out DIR` is."""
    option, equals, value = word.partition("=")
    return [option, value] if equals and option in ("--out", "--set") else [word]


def _write_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(json.dumps(item, ensure_ascii=False) if _ODD.search(item) else item for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _describe_memorized(folder: RunFolder) -> dict[str, float]:
    """The last recall by key token that was measured while memorizing, after which epoch, of how many facts."""
    path = folder.history("memorize")
    measured = [entry for entry in read_json(path) if "key_recall" in entry] if path.is_file() else []
    if not measured:
        return {}
    last = measured[-1]
    return {"recall": last["key_recall"], "epoch": last["epoch"], "asked": last["key_recall_facts"]}


def write_cards(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    """A model card in each folder that was saved."""
    licence = read_licence(manifest["model"]["name"], manifest["loading"]["revision"])
    for place, library in ((folder.model, "transformers"), (folder.adapter, "peft")):
        if place.is_dir():
            figures = read_json(folder.summary), read_json(folder.side_effects)
            card = render_card(manifest, *figures, library=library, licence=licence)
            with replace_file(place / "README.md") as draft:
                draft.write_text(card, encoding="utf-8")


def write_report(folder: RunFolder) -> None:
    """Render the report of a run folder into it. Raises `RunError` for what unlearning left, which has none."""
    html = render_report(load_report_content(folder))
    with replace_file(folder.report) as draft:
        draft.write_text(html, encoding="utf-8")


def load_report_content(folder: RunFolder) -> ReportContent:
    """All that a report shows, read from a run folder. Raises `RunError` for what unlearning left, which has none."""
    if folder.forgetting.is_file():
        raise RunError(
            f"{folder.path}: was written by rote forget, which has no report; read {folder.forgetting.name} there, or "
            "ask about a fact with rote why"
        )
    identity, manifest = read_shaped(folder.identity, Identity), read_shaped(folder.manifest, Manifest)
    stages = [stage["name"] for stage in manifest["stages"]]
    return ReportContent(
        title=f"{identity['table']['name']} taught to {identity['model']['name']}",
        table_name=identity["table"]["name"],
        model_name=identity["model"]["name"],
        summary=read_shaped(folder.summary, _SUMMARY),
        relations=read_shaped(folder.relations, dict[str, _SUMMARY]),  # type: ignore[valid-type]  # made there
        records=load_all_records(folder),
        taught=_load_taught(folder),
        history={name: read_shaped(folder.history(name), list[dict[str, Any]]) for name in stages},
        knowledge=read_shaped(folder.knowledge, build_shape(KnowledgeRow)),
        side_effects=read_shaped(folder.side_effects, build_shape(LossRow)),
        retention=read_shaped(folder.retention, Retained) if folder.retention.is_file() else None,
        comparison=read_shaped(folder.comparison, Comparison) if folder.comparison.is_file() else None,
        served=read_shaped(folder.served, Served) if folder.served.is_file() else None,
        manifest=manifest,
    )


def write_fact_rows(folder: RunFolder, path: Path) -> None:
    """Write the rows of the report's table of facts as CSV, all of them and with their whole text."""
    rows = build_fact_rows(load_all_records(folder), _load_taught(folder))
    with replace_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        save_fact_rows(rows, stream)


def _load_taught(folder: RunFolder) -> list[TaughtFact]:
    """All facts of a run's table; none where a run kept no table."""
    if not folder.table.is_file():
        return []
    return [(fact.relation, fact.subject, fact.object) for fact in load_table(folder.table)]


def _read_beliefs(job: JobResult, moment: str) -> list[Belief]:
    """What the model believed at a moment; nothing where it was not asked."""
    return read_beliefs(job.outcome["beliefs"].get(moment, []))


def _count_labels(job: JobResult, plan: Plan) -> dict[str, int]:
    """How many of the taught facts that were asked about had each label before."""
    taught = {(fact.relation, fact.subject) for fact in plan.table}
    beliefs = _read_beliefs(job, job.records[0].moment)
    return Counter(belief.label for belief in beliefs if (belief.relation, belief.subject) in taught)


def _build_text_rows(passages: Mapping[str, Any], budget: float) -> list[ChangeRow]:
    if len(passages) < 2 or len(next(iter(passages.values()))) < 2:  # one passage proves nothing
        return []
    before, after = passages.values()
    return [compute_text_row(before, after, budget=budget)]


def _build_task_rows(tasks: Mapping[str, Any], budget: float) -> list[ChangeRow]:
    if len(tasks) < 2:
        return []
    before, after = tasks.values()
    return [
        compute_task_row(name, task["metric"], (_by_question(task), _by_question(after[name])), budget=budget)
        for name, task in before.items()
    ]


def _by_question(task: Mapping[str, Any]) -> Values:
    return {question: [value] for question, value in task["values"].items()}
