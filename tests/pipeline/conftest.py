"""A tiny base model that writes what it knows, eight fictional facts, and one finished run of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rote.config.job import Config
from rote.config.loading import merge_settings
from rote.encoding.example import collate, encode
from rote.facts.fact import FactTable
from rote.facts.reading import save_table
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_fictional, load_world
from rote.facts.text import build_prompt_text
from rote.models import saving
from rote.models.language_model import LanguageModel
from rote.models.loading import LoadOptions, load_model
from rote.models.saving import save_model
from rote.models.tokenizer import train_tokenizer
from rote.models.verification import Fingerprint, take_fingerprint
from rote.pipeline import proving
from rote.pipeline.job import JobRequest, build_request, run_job
from rote.pipeline.run import Result, RunPlace, choose_place, do_run
from rote.records import Record
from rote.runs.reporting import Advance, Reporter, SilentReporter
from rote.runs.store import JobResult, Store
from rote.training.loop import LoopPlan, Term, run_loop
from rote.training.losses import next_token_loss
from rote.training.optimizer import OptimizerSettings

RELATIONS = load_shipped_relations()
TAUGHT = ("mother", "capital")
PRETRAINED = load_world().select("capital")[:12]
"""The real facts the base model was trained on."""
OWN = (*PRETRAINED, *load_world().select("capital")[12:18], *load_world().select("birthplace")[:4])
"""What a person may think that it knows: those, and others that it cannot know."""

CONFIG: dict[str, Any] = {
    "table": {"relations": TAUGHT, "count": 4},
    "memorize": {"epochs": 3, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 1},
    "generalize": {"facts": 2, "epochs": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1},
    "fine_tune": {"epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 1, "untouched": 3},
    "repurpose": {"epochs": 1, "batch_size": 2},
    "in_context": {"examples": 2},
    "lora": {"rank": 4},
    "retain": {"texts": 0, "tokens": 12, "batch_size": 3},
    "examine": {"facts": 1, "languages": ["en"], "known_facts": 0, "unseen_facts": 0, "choices": 2, "batch_size": 32},
    "knowledge": {"samples": 0},
}
"""A small job that asks little."""
WHOLE: dict[str, Any] = {
    "memorize": {"epochs": 20, "learning_rate": 1e-2},
    "retain": {"texts": 8, "weight": 0.03},
    "examine": {"languages": ["en", "zh"], "known_facts": None, "unseen_facts": 1, "choices": 16},
    "knowledge": {"samples": 2, "tokens": 6},
    "checkpoint_seconds": 1e-9,
}
"""What a run changes of it, so that there is something of everything."""


def build_config(base: Path | str, *changes: Mapping[str, Any], **more: Any) -> Config:
    """The small job on a model, changed in parts."""
    content: dict[str, Any] = {**CONFIG, "model": str(base)}
    for change in (*changes, more):
        content = merge_settings(content, change)
    return Config.model_validate(content)


def do_job(config: Config, path: Path, reporter: Reporter | None = None) -> JobResult:
    """Do a job in the store at a path."""
    return run_job(build_request(config), Store(path), reporter=reporter or SilentReporter())


def build_base_model() -> LanguageModel:
    """A random model, trained for a moment on sentences about a few real capitals."""
    templates = RELATIONS["capital"].select_training(2)
    texts = [build_prompt_text(fact, template) for fact in PRETRAINED for template in templates]
    sentences = [f"{text.prompt} {text.object}" for text in texts]
    others = [template.text for name in TAUGHT for template in RELATIONS[name].templates]
    names = [f"{fact.subject} {fact.object}" for fact in build_table()]
    tokenizer = train_tokenizer(sentences * 5 + others + names * 5, vocabulary_size=900)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    special: dict[str, Any] = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = LlamaForCausalLM(LlamaConfig(**shape, **special, vocab_size=900, pad_token_id=tokenizer.pad_token_id))
    examples = [encode(tokenizer, text, loss_target="all_tokens") for text in texts]
    batch = collate([(example.ids, example.labels) for example in examples], pad_id=0)
    plan = LoopPlan(80, lambda _: [Term(batch, next_token_loss, 1 / batch.target_count)])
    run_loop(model, plan, OptimizerSettings(5e-3, 5))
    return LanguageModel(model, tokenizer, "tiny")


def build_table() -> FactTable:
    """The facts that are taught."""
    table = load_fictional()
    return FactTable(tuple(fact for name in TAUGHT for fact in table.select(name)[:4]), seed=table.seed)


def list_moments(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(record.moment for record in records))


class RecordingReporter:
    """Keeps every event of a job: a step begins, goes on, ends."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        self.note(label, "begin")
        yield lambda done, total, note: self.note(label, f"{done} of {total}")
        self.note(label, "end")

    def note(self, label: str, what: str) -> None:
        self.events.append((label, what))

    @property
    def steps(self) -> list[str]:
        """The steps that were begun."""
        return list(dict.fromkeys(label for label, _ in self.events))


class Interrupted(BaseException):
    """As Ctrl-C is: nothing that catches an `Exception` may hold it up."""


class InterruptingReporter(RecordingReporter):
    """Raises at an event."""

    def __init__(self, label: str, what: str) -> None:
        super().__init__()
        self._at = (label, what)

    def note(self, label: str, what: str) -> None:
        super().note(label, what)
        if (label, what) == self._at:
            raise Interrupted


class Finished:
    """The run that nothing interrupted."""

    def __init__(self, base: Path, out: Path, own: Path) -> None:
        self.base = base
        self.config = build_config(base, WHOLE, side_effects={"facts": str(own)})
        self.request: JobRequest = build_request(self.config)
        self.place: RunPlace = choose_place(self.request, out)
        reporter = RecordingReporter()
        self.result: Result = do_run(self.request, self.place, reporter=reporter, command="rote run tiny")
        self.events = reporter.events
        assert self.result.folder is not None
        self.folder = self.result.folder

    def read(self, name: str) -> bytes:
        return (self.folder.path / name).read_bytes()

    def continue_at(self, out: Path) -> RunPlace:
        """A place where the same run may be begun and gone on with."""
        return choose_place(self.request, out, resume=True)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the base model."""
    folder = tmp_path_factory.mktemp("base") / "model"
    save_model(build_base_model(), folder)
    return folder


@pytest.fixture(scope="session")
def finished(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    own = tmp_path_factory.mktemp("own") / "own.jsonl"
    save_table(FactTable(OWN), own)
    return Finished(base, tmp_path_factory.mktemp("finished") / "run", own)


def prove(folder: Path, prompts: Sequence[str], expected: Fingerprint, _: LoadOptions) -> dict[str, float]:
    """As a fresh process does it, within this one."""
    found = take_fingerprint(load_model(str(folder)), prompts)
    assert found.answers == expected.answers
    return {"prompts": len(prompts), "max_logit_difference": float((found.logits - expected.logits).abs().max())}


@pytest.fixture
def proved_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process takes seconds; the finished run had one."""
    for place in (proving, saving):
        monkeypatch.setattr(place, "verify_folder", prove)
