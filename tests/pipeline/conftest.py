"""A tiny base model that writes what it knows, eight invented facts, and one finished run of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rote.config.run import RunConfig
from transformers import LlamaConfig, LlamaForCausalLM

from rote.encoding.example import collate, encode
from rote.facts.fact import FactTable
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_world
from rote.facts.text import build_prompt_text
from rote.models.language_model import LanguageModel
from rote.models.saving import save_model
from rote.models.tokenizer import train_tokenizer
from rote.pipeline.run import RunRequest, RunResult, run
from rote.runs.reporting import Advance
from rote.training.loop import LoopPlan, Term, run_loop
from rote.training.losses import next_token_loss
from rote.training.optimizer import OptimizerSettings

RELATIONS = load_shipped_relations()
PRETRAINED = load_world().select("capital")[:12]
"""The real facts the base model was trained on."""

CONFIG: dict[str, Any] = {
    "memorize": {"epochs": 30, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 2},
    "generalize": {"facts": 2, "epochs": 3, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1},
    "retain": {"texts": 12, "tokens": 16, "batch_size": 3, "weight": 0.03},
    "examine": {
        "facts": 1,
        "languages": ["en", "zh"],
        "held_out_prompts": 1,
        "known_facts": 3,
        "unseen_facts": 1,
        "choices": 16,
        "batch_size": 16,
    },
    "checkpoint_seconds": 1e-9,
}


def build_base_model() -> LanguageModel:
    """A random model, trained for a moment on sentences about a few real capitals."""
    templates = RELATIONS["capital"].select(prompt_set="training", language="en")[:2]
    texts = [build_prompt_text(fact, template) for fact in PRETRAINED for template in templates]
    sentences = [f"{text.prompt} {text.object}" for text in texts]
    others = [template.text for template in (*RELATIONS["mother"].templates, *RELATIONS["capital"].templates)]
    names = [f"{fact.subject} {fact.object}" for fact in build_table()]
    tokenizer = train_tokenizer(sentences * 5 + others + names * 5, vocabulary_size=900)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
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
    return invent_table([RELATIONS["mother"], RELATIONS["capital"]], count=4, seed=3)


def build_request(base: Path, out: Path, *, resume: bool = False, **changes: Any) -> RunRequest:
    config = RunConfig.model_validate({**CONFIG, **changes})
    return RunRequest(build_table(), "tiny table", str(base), config, out, resume)


class RecordingReporter:
    """Keeps every event of a run: a step begins, goes on, ends."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        self.note(label, "begin")
        yield lambda done, total, note: self.note(label, f"{done} of {total}")
        self.note(label, "end")

    def note(self, label: str, what: str) -> None:
        self.events.append((label, what))


class Finished:
    """The run that nothing interrupted."""

    def __init__(self, base: Path, out: Path) -> None:
        self.base = base
        self.request = build_request(base, out)
        reporter = RecordingReporter()
        self.result: RunResult = run(self.request, reporter=reporter, command="rote run tiny")
        self.events = reporter.events
        self.folder = self.result.folder

    def read(self, name: str) -> bytes:
        return (self.folder.path / name).read_bytes()

    def continue_at(self, out: Path) -> RunRequest:
        """The same run in another folder."""
        return replace(self.request, out=out, resume=True)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the base model."""
    folder = tmp_path_factory.mktemp("base") / "model"
    save_model(build_base_model(), folder)
    return folder


@pytest.fixture(scope="session")
def finished(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(base, tmp_path_factory.mktemp("finished") / "run")
