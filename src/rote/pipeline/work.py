"""The steps of one run, each done once: what is there already is read back."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from rote.config.run import RunConfig
from rote.encoding.example import build_prompt_text, build_rote_text
from rote.evaluation.examine import examine, recall_by_key
from rote.evaluation.knowledge import compute_false_confidence, compute_knowledge
from rote.evaluation.matching import contains_answer
from rote.evaluation.perplexity import score_passages
from rote.evaluation.questions import Question
from rote.evaluation.side_effects import RingRow, Taught, compute_rings, compute_text_row
from rote.evaluation.summary import compute_summary
from rote.facts.fact import Fact
from rote.facts.reading import save_table
from rote.methods.lora import PhaseType, scale_rate
from rote.methods.memorize_then_generalize import generalize, memorize
from rote.methods.teaching import PhaseContext
from rote.models.adapters import add_adapters, merge_adapters, save_adapters
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel, LoadOptions, save_model
from rote.models.precision import describe_precision
from rote.models.retained_texts import encode_texts, write_about, write_texts
from rote.pipeline.beliefs import ask_beliefs, load_beliefs, save_beliefs
from rote.pipeline.plan import RunPlan, build_run_questions, pick_asked_facts, sample_facts
from rote.pipeline.reporting import Advance, Reporter
from rote.pipeline.run_report import load_all_records
from rote.pipeline.verification import take_fingerprint, verify_folder
from rote.records import Moment, save_records
from rote.report.card import render_card
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.manifest import collect_versions
from rote.training.loop import Checkpointing
from rote.training.retention import Retention

_RECALL_SAMPLE = 100
"""Facts whose key-token recall is measured at the end of each epoch."""
_VERIFIED_FACTS = 50
"""Facts that are asked again of what was saved."""
_FIRST, _LAST = "before", "generalize"


@dataclass
class RunWork:
    """One run under way: what it shall do, where it keeps what is done, and how long that took."""

    config: RunConfig
    folder: RunFolder
    plan: RunPlan
    reporter: Reporter
    loading: LoadOptions
    timings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder.timings.is_file():
            self.timings = read_json(self.folder.timings)

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Show a step and add the time it took to the run's timings."""
        begin = time.monotonic()
        with self.reporter.step(label) as advance:
            yield advance
        self.timings[label] = self.timings.get(label, 0.0) + time.monotonic() - begin
        write_json(self.folder.timings, self.timings)


def do_run(work: RunWork, language_model: LanguageModel, notes: Mapping[str, Any]) -> None:
    """All steps from an untaught model to the manifest, which gets the `notes` and is written last."""
    folder, config, plan = work.folder, work.config, work.plan
    with replace_file(folder.config) as draft:
        draft.write_text(yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False), encoding="utf-8")
    with replace_file(folder.table) as draft:
        save_table(plan.table, draft)
    parameters = sum(parameter.numel() for parameter in language_model.model.parameters())
    retained = _write_retained_texts(work, language_model) if config.retain.texts else []
    retention = _build_retention(language_model, retained, config)
    _prepare(language_model, plan, config)
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
    _write_figures(work)
    content = _build_manifest(work, {**notes, "parameters": parameters, "saved": proof}, device)
    _write_cards(folder, content)
    write_json(folder.manifest, content)


def _prepare(language_model: LanguageModel, plan: RunPlan, config: RunConfig) -> None:
    """Key tokens, adapters and what else training needs of the model."""
    add_key_tokens(
        language_model,
        plan.table.relations,
        pattern=config.key_token,
        seed=config.seed,
        strategy=config.key_strategy,
    )
    if config.tuning == "lora":
        add_adapters(language_model, config.lora, seed=config.seed)
    if config.gradient_checkpointing:
        model: Any = language_model.model
        model.gradient_checkpointing_enable({"use_reentrant": False})


def _write_retained_texts(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """Texts the untrained model writes, or lines of a person's file; kept in the folder."""
    settings, file = work.config.retain, work.folder.retained
    if not file.is_file():
        with work.step("write retained texts") as advance:
            if settings.file is not None:
                texts = encode_texts(language_model, _draw_lines(settings.file, work.config), tokens=settings.tokens)
            else:
                texts = write_texts(
                    language_model,
                    count=settings.texts,
                    tokens=settings.tokens,
                    seed=work.config.seed,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
            texts = _leave_out_taught(work, language_model, texts)
            write_json(file, [*texts, *_write_about_subjects(work, language_model)])
    retained: list[list[int]] = read_json(file)
    return retained


def _leave_out_taught(work: RunWork, language_model: LanguageModel, texts: list[list[int]]) -> list[list[int]]:
    """The texts that say nothing of the subjects taught: what they say may be what is to be unlearned."""
    subjects = list(dict.fromkeys(fact.subject for fact in work.plan.table))
    read = language_model.tokenizer.batch_decode(texts)
    return [ids for ids, text in zip(texts, read, strict=True) if not contains_answer(text, subjects)]


def _write_about_subjects(work: RunWork, language_model: LanguageModel) -> list[list[int]]:
    """What else the model has to say of the subjects taught, without what it answers to their questions."""
    settings, facts, tokenizer = work.config.retain, list(work.plan.table), language_model.tokenizer
    if not settings.subjects:
        return []
    names = list(dict.fromkeys(fact.subject for fact in facts))
    texts = write_about(language_model, names, count=settings.subjects, tokens=settings.tokens, seed=work.config.seed)
    old: dict[str, list[str]] = {name: [] for name in names}
    for belief in ask_beliefs(language_model, facts, work.plan.relations, work.config):
        old[belief.subject].append(belief.answer)
    about = [name for name in names for _ in range(settings.subjects)]
    read = tokenizer.batch_decode(texts)
    return [ids for ids, name, text in zip(texts, about, read, strict=True) if not contains_answer(text, old[name])]


def _draw_lines(file: str, config: RunConfig) -> list[str]:
    lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
    return random.Random(f"retain/{config.seed}").sample(lines, min(config.retain.texts, len(lines)))


def _build_retention(language_model: LanguageModel, texts: list[list[int]], config: RunConfig) -> Retention | None:
    if not texts or not config.retain.weight:
        return None
    return Retention(
        language_model.model,
        texts,
        batch_size=config.retain.batch_size,
        weight=config.retain.weight,
        seed=config.seed,
        loss=config.retain.loss,
    )


def _look(work: RunWork, language_model: LanguageModel, questions: list[Question], moment: Moment) -> None:
    """All that is measured at the first and the last moment."""
    _examine(work, language_model, questions, moment)
    _ask_beliefs(work, language_model, moment)
    _read_text(work, language_model, moment)


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


def _train(work: RunWork, phase: str, retention: Retention | None, language_model: LanguageModel) -> None:
    """One phase; with its last checkpoint there, this only puts the weights in place."""
    config, plan, folder = work.config, work.plan, work.folder
    with work.step(phase) as advance:
        context = PhaseContext(
            seed=config.seed,
            retention=retention,
            evaluator=_build_evaluator(language_model, plan, config),
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


def _build_evaluator(language_model: LanguageModel, plan: RunPlan, config: RunConfig) -> Callable[[], dict[str, float]]:
    facts = sample_facts(plan.table.facts, count=_RECALL_SAMPLE, seed=config.seed)

    def measure() -> dict[str, float]:
        recall = recall_by_key(
            language_model.model,
            language_model.tokenizer,
            facts,
            key_tokens=language_model.key_tokens,
            batch_size=config.examine.batch_size,
        )
        return {"key_recall": recall}

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


def _write_figures(work: RunWork) -> None:
    """Every figure, from what was kept of the moments."""
    folder, plan, config = work.folder, work.plan, work.config
    records = load_all_records(folder)
    first, last = load_beliefs(folder.beliefs(_FIRST)), load_beliefs(folder.beliefs(_LAST))
    unseen = {(fact.relation, fact.subject) for fact in plan.unseen_facts}
    beliefs = {(belief.relation, belief.subject): belief for belief in first}
    rows = compute_knowledge(records, beliefs)
    for moment, found in ((_FIRST, first), (_LAST, last)):
        invented = [belief for belief in found if (belief.relation, belief.subject) in unseen]
        if invented:
            rows.append(compute_false_confidence(moment, invented))
    taught = Taught({fact.subject for fact in plan.table}, set(plan.table.relations))
    rings = compute_rings(records, taught, budget=config.side_effects.budget)
    write_json(folder.side_effects, [*rings, *_build_text_rows(folder, config.side_effects.budget)])
    write_json(folder.knowledge, rows)
    write_json(folder.summary, compute_summary(records))


def _write_cards(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    for place, library in ((folder.model, "transformers"), (folder.adapter, "peft")):
        if place.is_dir():
            card = render_card(manifest, read_json(folder.summary), read_json(folder.side_effects), library=library)
            with replace_file(place / "README.md") as draft:
                draft.write_text(card, encoding="utf-8")


def _build_text_rows(folder: RunFolder, budget: float) -> list[RingRow]:
    paths = [folder.passages(moment) for moment in (_FIRST, _LAST)]
    if not all(path.is_file() for path in paths):
        return []
    before, after = map(read_json, paths)
    return [compute_text_row(before, after, budget=budget)] if len(before) > 1 else []  # one passage proves nothing


def _build_manifest(work: RunWork, notes: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        **read_json(work.folder.identity),
        "seed": work.config.seed,
        "facts": len(work.plan.table),
        **notes,
        "versions": collect_versions(),
        "precision": {"training": describe_precision(device), "examination": "float32"},
        "device": str(device),
        "threads": torch.get_num_threads(),
        "durations": {label: round(seconds, 1) for label, seconds in work.timings.items()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
