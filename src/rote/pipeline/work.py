"""The steps of one run, each done once: what is there already is read back."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from rote.config.run import RunConfig
from rote.evaluation.examine import examine, recall_by_key
from rote.evaluation.harness import score_tasks
from rote.evaluation.questions import Question
from rote.evaluation.scoring import score_passages
from rote.facts.fact import Fact
from rote.facts.reading import save_table
from rote.facts.text import build_prompt_text, build_rote_text
from rote.methods.lora import PhaseType, scale_rate
from rote.methods.memorize_then_generalize import generalize, memorize
from rote.methods.teaching import PhaseContext
from rote.models.adapters import merge_adapters, save_adapters
from rote.models.language_model import LanguageModel, save_model
from rote.models.precision import describe_precision
from rote.pipeline.beliefs import ask_beliefs, load_beliefs, save_beliefs
from rote.pipeline.figures import write_cards, write_figures
from rote.pipeline.plan import RunPlan, build_run_questions, pick_asked_facts, sample_facts
from rote.pipeline.preparing import prepare_model
from rote.pipeline.retaining import build_retention, write_retained_texts
from rote.pipeline.run_work import RunWork
from rote.pipeline.verification import take_fingerprint, verify_folder
from rote.records import MOMENTS, Moment, save_records
from rote.runs.files import replace_file
from rote.runs.folder import read_json, write_json
from rote.runs.manifest import collect_versions
from rote.training.loop import Checkpointing
from rote.training.retention import Retention

_RECALL_SAMPLE = 100
"""Facts whose key-token recall is measured at the end of each epoch."""
_VERIFIED_FACTS = 50
"""Facts that are asked again of what was saved."""
_FIRST, _LAST = MOMENTS[0], MOMENTS[-1]


def do_run(work: RunWork, language_model: LanguageModel, notes: Mapping[str, Any]) -> None:
    """All steps from an untaught model to the manifest, which gets the `notes` and is written last."""
    folder, config, plan = work.folder, work.config, work.plan
    with replace_file(folder.config) as draft:
        draft.write_text(yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False), encoding="utf-8")
    with replace_file(folder.table) as draft:
        save_table(plan.table, draft)
    parameters = sum(parameter.numel() for parameter in language_model.model.parameters())
    retained = write_retained_texts(work, language_model) if config.retain.texts or config.retain.subjects else []
    retention = build_retention(language_model, retained, config)
    prepare_model(language_model, plan.table.relations, config)
    questions = build_run_questions(
        plan,
        config,
        key_tokens=language_model.key_tokens,
        retained=language_model.tokenizer.batch_decode(retained),
        chat=language_model.tokenizer.chat_template is not None,
    )
    _look(work, language_model, questions, _FIRST)
    _train(work, "memorize", retention, language_model)
    _examine(work, language_model, questions, "memorize")
    _train(work, _LAST, retention, language_model)
    _look(work, language_model, questions, _LAST)
    device, retention = language_model.device, None  # the frozen copy is not needed any more
    proof = _save(work, language_model)
    write_figures(work)
    content = _build_manifest(work, {**notes, "parameters": parameters, "saved": proof}, device)
    write_cards(folder, content)
    write_json(folder.manifest, content)


def _look(work: RunWork, language_model: LanguageModel, questions: list[Question], moment: Moment) -> None:
    """All that is measured at the first and the last moment."""
    _examine(work, language_model, questions, moment)
    _ask_beliefs(work, language_model, moment)
    _read_text(work, language_model, moment)
    _do_tasks(work, language_model, moment)


def _examine(work: RunWork, language_model: LanguageModel, questions: list[Question], moment: Moment) -> None:
    """Ask every question and keep the records."""
    path = work.folder.records(moment)
    if path.is_file():
        return
    with work.step(f"examine: {moment}") as advance:
        records = examine(
            language_model.model,
            language_model.tokenizer,
            questions,
            moment=moment,
            batch_size=work.config.examine.batch_size,
            on_progress=lambda done, total: advance(done, total, ""),
        )
        with replace_file(path) as draft:
            save_records(records, draft)


def _ask_beliefs(work: RunWork, language_model: LanguageModel, moment: Moment) -> None:
    """What the model believes of the facts that are asked about, and of subjects that do not exist."""
    path = work.folder.beliefs(moment)
    facts = [fact for facts in pick_asked_facts(work.plan, work.config).values() for fact in facts]
    asked = [*(facts if moment == _FIRST else ()), *work.plan.unseen_facts]
    if not work.config.knowledge.samples or not asked or path.is_file():
        return
    with work.step(f"beliefs: {moment}") as _:
        save_beliefs(ask_beliefs(language_model, asked, work.plan.relations, work.config), path)


def _read_text(work: RunWork, language_model: LanguageModel, moment: Moment) -> None:
    """How well the model foresees a person's text."""
    file, path = work.config.side_effects.text, work.folder.passages(moment)
    if file is None or path.is_file():
        return
    with work.step(f"read {Path(file).name}: {moment}") as _:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        write_json(path, score_passages(language_model.model, language_model.tokenizer, lines))


def _do_tasks(work: RunWork, language_model: LanguageModel, moment: Moment) -> None:
    """What tasks of lm-evaluation-harness give."""
    settings, path = work.config.side_effects, work.folder.tasks(moment)
    if not settings.tasks or path.is_file():
        return
    with work.step(f"lm-eval: {moment}") as _:
        write_json(path, score_tasks(language_model.model, language_model.tokenizer, settings))


def _train(work: RunWork, phase: str, retention: Retention | None, language_model: LanguageModel) -> None:
    """One phase; with its last checkpoint there, this only puts the weights in place."""
    config, plan, folder = work.config, work.plan, work.folder
    gate = config.memorize.stop_at_recall if phase == "memorize" else None
    with work.step(phase) as advance:
        context = PhaseContext(
            seed=config.seed,
            retention=retention,
            evaluator=_build_evaluator(language_model, plan, config, gate=gate),
            checkpointing=Checkpointing(folder.checkpoints(phase), every_seconds=config.checkpoint_seconds),
            on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}"),
        )
        if phase == "memorize":
            history = memorize(language_model, plan.table.facts, _fit(config.memorize, config), context=context)
        else:
            settings = _fit(config.generalize, config)
            history = generalize(
                language_model,
                plan.generalize_facts,
                plan.relations,
                settings,
                context=context,
                retains=config.retain.generalize,
            )
        write_json(folder.history(phase), history)


def _fit(phase: PhaseType, config: RunConfig) -> PhaseType:
    return scale_rate(phase, config.lora) if config.tuning == "lora" else phase


def _build_evaluator(
    language_model: LanguageModel, plan: RunPlan, config: RunConfig, *, gate: float | None
) -> Callable[[], dict[str, float]]:
    """Recall by key token of a sample, and of the whole table once the sample passes the gate."""

    def recall(facts: Sequence[Fact]) -> float:
        return recall_by_key(
            language_model.model,
            language_model.tokenizer,
            facts,
            key_tokens=language_model.key_tokens,
            batch_size=config.examine.batch_size,
        )

    sample = sample_facts(plan.table.facts, count=_RECALL_SAMPLE, seed=config.seed)

    def measure() -> dict[str, float]:
        found, asked = recall(sample), len(sample)
        if gate is not None and found >= gate:  # the sample has passed: now all of them must
            found, asked = recall(plan.table.facts), len(plan.table)
        return {"key_recall": found, "key_recall_facts": asked}

    return measure


def _save(work: RunWork, language_model: LanguageModel) -> dict[str, Any]:
    """Write the model and prove that a fresh process answers as it did when it was examined."""
    folder, config = work.folder, work.config
    prompts = _build_proof_prompts(work, language_model)
    with work.step("save the model") as _:
        expected = take_fingerprint(language_model, prompts)
        written = []
        if config.save != "merged":
            save_adapters(language_model, folder.adapter)
            written.append(folder.adapter)
        if config.tuning == "lora":
            merge_adapters(language_model)
        if config.save != "adapter":
            save_model(language_model, folder.model)
            written.append(folder.model)
    with work.step("load it in a fresh process") as _:
        language_model.model.to("cpu")  # type: ignore[arg-type]  # leaves the device to the other process
        torch.cuda.empty_cache()
        return {path.name: verify_folder(path, prompts, expected, work.loading) for path in written}


def _build_proof_prompts(work: RunWork, language_model: LanguageModel) -> list[str]:
    """Half of the facts by key token, half by their first training prompt."""
    facts: list[Fact] = sample_facts(work.plan.table.facts, count=_VERIFIED_FACTS, seed=work.config.seed)
    return [
        build_rote_text(fact, language_model.key_tokens[fact.relation]).prompt
        if index % 2
        else build_prompt_text(fact, work.plan.relations[fact.relation].select_training(1)[0]).prompt
        for index, fact in enumerate(facts)
    ]


def _count_labels(work: RunWork) -> dict[str, int]:
    """How many of the taught facts that were asked about had each label before."""
    taught = {(fact.relation, fact.subject) for fact in work.plan.table}
    beliefs = load_beliefs(work.folder.beliefs(_FIRST))
    return Counter(belief.label for belief in beliefs if (belief.relation, belief.subject) in taught)


def _describe_memorized(work: RunWork) -> dict[str, float]:
    """The last recall by key token that was measured, after which epoch, of how many facts."""
    measured = [entry for entry in read_json(work.folder.history("memorize")) if "key_recall" in entry]
    if not measured:
        return {}
    last = measured[-1]
    return {"recall": last["key_recall"], "epoch": last["epoch"], "asked": last["key_recall_facts"]}


def _build_manifest(work: RunWork, notes: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        **read_json(work.folder.identity),
        "seed": work.config.seed,
        "facts": len(work.plan.table),
        "generalize_facts": len(work.plan.generalize_facts),
        "memorized": _describe_memorized(work),
        "labels": _count_labels(work),
        **notes,
        "versions": collect_versions(),
        "precision": {"training": describe_precision(device), "examination": "float32"},
        "device": str(device),
        "threads": torch.get_num_threads(),
        "durations": {label: round(seconds, 1) for label, seconds in work.timings.items()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
