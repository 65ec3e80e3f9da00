"""`rote forget`: the model of a run unlearns some of what it was taught, and what that did is measured.

What is done is kept in the store beside the folder, as that of a run is, so a command that was stopped goes on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from rote.config.teaching import RetainConfig
from rote.errors import ConfigError
from rote.evaluation.forgetting import (
    ASKED,
    NOT_ERASURE,
    NOTHING,
    RELEARN,
    TEACH_UNSEEN,
    compute_changes,
    compute_relearning,
    pool_changes,
)
from rote.evaluation.summary import compute_summary
from rote.facts.fact import Fact, FactTable, hash_fact
from rote.facts.reading import save_table
from rote.methods.forgetting import ANSWERED, FORGET, build_forget_stage, build_relearn_stage
from rote.methods.teaching import PhaseContext, prepare_tuning, train_stage
from rote.models.adapters import merge_adapters
from rote.models.chat_template import has_chat_template
from rote.models.frozen_tables import release_tables
from rote.models.loading import SAFE, LoadOptions, load_model
from rote.models.saving import save_model
from rote.models.verification import take_fingerprint, verify_folder
from rote.pipeline.forget_plan import ForgetPlan
from rote.pipeline.job import ROOMS
from rote.pipeline.measures import Measures, choose_known
from rote.pipeline.plan import hash_plan
from rote.pipeline.run import is_done
from rote.pipeline.stages import Stages, Work, fit_adapters
from rote.pipeline.tables import name_table
from rote.records import Record
from rote.retention.penalty import build_retention
from rote.retention.texts import encode_texts
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json, write_json
from rote.runs.ledger import forget_facts, load_ledger, save_ledger
from rote.runs.manifest import collect_versions, compute_code_hash, compute_content_hash, compute_model_hash
from rote.runs.moments import save_all_records
from rote.runs.opening import check_run_folder, hold, open_run_folder
from rote.runs.reporting import Reporter
from rote.runs.store import Store, hash_content
from rote.runs.sums import forget_end, write_sums
from rote.training.checkpoints import keep_weights
from rote.training.parallel import count_processes

_PROVED = 50
"""Questions that are asked again of what was saved."""


@dataclass(frozen=True)
class Forgotten:
    """What unlearning did: `outcome` is `forgetting.json`."""

    folder: RunFolder
    outcome: Mapping[str, Any]


def forget(
    plan: ForgetPlan,
    out: Path,
    *,
    resume: bool = False,
    loading: LoadOptions = SAFE,
    reporter: Reporter,
    command: str = "",
) -> Forgotten:
    """Make a run's model forget, measure what that did, and write the model and what was found to a folder.

    Raises `RoteError` for what the user can mend.
    """
    if count_processes() > 1:
        raise ConfigError("rote forget: works in one process; start it without torchrun")
    identity = _identify(plan, loading)
    check_run_folder(out, identity, resume=resume)
    if resume and is_done(RunFolder(out)):
        return Forgotten(RunFolder(out), read_json(RunFolder(out).forgetting))
    work = _Forgetting(plan, Store(out.parent / "store"), loading, reporter)  # before a folder is claimed: it may fail
    folder = open_run_folder(out, identity, resume=resume)
    with hold(folder):
        forget_end(folder)
        outcome = work.run(folder, command)
    return Forgotten(folder, outcome)


class _Forgetting:
    """One unlearning under way, with its model in memory."""

    def __init__(self, plan: ForgetPlan, store: Store, loading: LoadOptions, reporter: Reporter) -> None:
        self._plan, self._settings, self._loading = plan, plan.settings, loading
        self._config = plan.plan.config
        model = load_model(self._config.model, loading)
        self._work = Work(plan.plan, model, _hash_model(plan, loading), store, reporter)
        self._texts = _read_retained(plan)
        known = choose_known(self._work, self._texts)
        chat = has_chat_template(model.source, model.tokenizer.chat_template)
        self._questions = plan.build_questions(known, model.key_tokens, chat=chat)
        self._measures = Measures(self._work, self._questions)
        self._stages = self._build_stages()

    def run(self, folder: RunFolder, command: str) -> dict[str, Any]:
        """Do all of it; returns what was found."""
        self._measures.examine("before", self._stages.names[0], lambda: None)
        self._measures.examine(FORGET, self._stages.names[1], self._reach)
        self._reach()
        self._relearn()
        saved = self._save(folder)
        outcome = self._describe()
        self._write(folder, outcome, {"command": command, "saved": saved})
        self._stages.drop_last()
        return outcome

    def _build_stages(self) -> Stages:
        model, config = self._work.language_model, self._config
        stage = build_forget_stage(model, self._plan.facts, self._settings)
        ids = encode_texts(model, self._texts, tokens=config.retain.tokens) if self._settings.texts else []
        retain = _fit_retention(config.retain, self._settings.texts)
        retention = build_retention(model, ids, retain, seed=self._settings.seed)
        prepare_tuning(model, config)
        return Stages(self._work, [stage], retention, hash_content([ids, self._settings.texts]))

    def _reach(self) -> None:
        self._stages.reach(1)

    def _relearn(self) -> None:
        """Teach some of the forgotten facts again, or as many that nobody was taught, and ask both times about those
        forgotten ones that are never among them."""
        order, spare = self._plan.draw_relearned(), self._plan.spare
        for count in self._plan.counts:
            self._teach_again(f"{NOTHING}_{count}", (), order[count:])
            for name, facts in ((RELEARN, order[:count]), (TEACH_UNSEEN, spare[:count])):
                if len(facts) == count:
                    self._teach_again(f"{name}_{count}", facts, order[count:])

    def _teach_again(self, moment: str, facts: Sequence[Fact], others: Sequence[Fact]) -> None:
        model, settings = self._work.language_model, self._settings
        stage = build_relearn_stage(
            model, facts, self._plan.facts.relations, settings.relearn, prompts=settings.prompts
        )
        stage = fit_adapters(stage, self._config)
        name = hash_content([self._stages.names[1], moment, settings.relearn.model_dump(), [fact.id for fact in facts]])

        def teach() -> None:
            if facts:
                train_stage(model, stage, PhaseContext(seed=settings.seed))

        questions = self._plan.build_relearn_questions(others, facts, model.key_tokens)
        with keep_weights(model.model):
            self._measures.examine(moment, name, teach, questions)

    def _save(self, folder: RunFolder) -> dict[str, Any]:
        """Write the model and prove that a fresh process answers as this one does."""
        model, work = self._work.language_model, self._work
        if self._config.tuning == "lora":
            merge_adapters(model)
        elif self._config.tuning == "layers":
            release_tables(model)
        model.shown |= set(map(hash_fact, self._plan.plan.table))
        prompts = [question.text.prompt for question in self._questions if not question.text.in_chat][:_PROVED]
        with work.step("save the model"):
            expected = take_fingerprint(model, prompts)
            save_model(model, folder.model)
            ledger = load_ledger(self._plan.run.model)
            if ledger.tables:
                save_ledger(forget_facts(ledger, self._plan.facts.forgotten), folder.model)
        with work.step("load it in a fresh process"):
            return {folder.model.name: verify_folder(folder.model, prompts, expected, self._loading)}

    def _describe(self) -> dict[str, Any]:
        before, after, later = self._split_records()
        history = self._read_history()
        pooled = {name: pool_changes(before, after, name) for name in ASKED}
        return {
            "method": self._settings.method,
            "forgotten_facts": len(self._plan.facts.forgotten),
            "epochs": history[-1]["epoch"],
            "updates": history[-1]["step"],
            "answered": [entry[ANSWERED] for entry in history if ANSWERED in entry],
            "pooled": {name: row for name, row in pooled.items() if row},
            "rows": compute_changes(before, after),
            "relearning": compute_relearning(later),
            "note": NOT_ERASURE,
        }

    def _split_records(self) -> tuple[list[Record], list[Record], list[Record]]:
        """Those from before, from after, and of all relearning."""
        records = self._measures.records
        first = [record for record in records if record.moment == "before"]
        second = [record for record in records if record.moment == FORGET]
        return first, second, [record for record in records if record.moment not in ("before", FORGET)]

    def _read_history(self) -> list[dict[str, Any]]:
        kept = self._work.store.stage(self._stages.names[1])
        history: list[dict[str, Any]] = read_json(kept.history)
        return history

    def _write(self, folder: RunFolder, outcome: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """Everything but the model; the manifest and the sums come last."""
        moments = save_all_records(folder, self._measures.records)
        own = [moment for moment in moments if moment in ("before", FORGET)]
        _write_tables(folder, self._plan)
        write_json(folder.history(FORGET), self._read_history())
        write_json(folder.summary, compute_summary([r for r in self._measures.records if r.moment in own]))
        write_json(folder.forgetting, outcome)
        manifest = {
            **read_json(folder.identity),
            "moments": own,
            "code": compute_code_hash(ROOMS),
            "trials": [moment for moment in moments if moment not in own],
            "stages": self._stages.describe(),
            "seed": self._settings.seed,
            "versions": collect_versions(),
            "durations": {label: round(seconds, 1) for label, seconds in self._work.seconds.items()},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "note": NOT_ERASURE,
            **made,
        }
        write_json(folder.manifest, manifest)
        write_sums(folder)


def _write_tables(folder: RunFolder, plan: ForgetPlan) -> None:
    """What is still taught as the run's table, what is not beside it, and the run's settings."""
    gone = {fact.id for fact in plan.facts.forgotten}
    left = FactTable(tuple(fact for fact in plan.plan.table if fact.id not in gone), seed=plan.plan.table.seed)
    for place, table in (
        (folder.table, left),
        (folder.forgotten, FactTable(tuple(plan.facts.forgotten))),
    ):
        with replace_file(place) as draft:
            save_table(table, draft)
    with replace_file(folder.config) as draft:
        content = json.loads(plan.plan.config.model_dump_json())
        said = "# Of the run whose model was made to forget; what rote forget was told is in identity.json.\n"
        draft.write_text(said + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    if plan.run.retained.is_file():
        write_json(folder.retained, read_json(plan.run.retained))


def _read_retained(plan: ForgetPlan) -> list[str]:
    """The texts that the run retained; none where it did not."""
    return [str(text) for text in read_json(plan.run.retained)] if plan.run.retained.is_file() else []


def _fit_retention(settings: RetainConfig, count: int) -> RetainConfig:
    return settings.model_copy(update={"batch_size": max(1, count)})


def _name_table(plan: ForgetPlan) -> str:
    count = len(plan.facts.forgotten)
    return f"{name_table(plan.plan.config.table)}, {count} fact{'s' * (count != 1)} forgotten"


def _hash_model(plan: ForgetPlan, loading: LoadOptions) -> str:
    model = Path(plan.plan.config.model)
    return compute_model_hash(str(model), model, loading.revision)


def _identify(plan: ForgetPlan, loading: LoadOptions) -> dict[str, Any]:
    """What a folder belongs to: the model, what it is to forget, and how."""
    config = json.loads(plan.plan.config.model_dump_json(exclude={"checkpoint_seconds"}))
    forgotten = FactTable(tuple(plan.facts.forgotten))
    return {
        "config": config,
        "forget": json.loads(plan.settings.model_dump_json()),
        "table": {"name": _name_table(plan), "hash": forgotten.content_hash},
        "model": {"name": plan.plan.config.model, "hash": _hash_model(plan, loading)},
        "asked": hash_plan(plan.plan),
        "files": {path: compute_content_hash(Path(path)) for path in plan.plan.config.relations},
        "loading": asdict(loading),
    }
