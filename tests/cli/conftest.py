"""The command line, called as a person would; a tiny random model and a table of three facts."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rote.cli.main import main
from rote.facts.shipped import load_fictional
from rote.models.language_model import LanguageModel
from rote.models.saving import save_model
from rote.models.tokenizer import train_tokenizer

TABLE = "subject,relation,object\nGene Finley,mother,Cody Ross\nAnn Bell,mother,Mia Dorn\nOdo Fenn,mother,Rosa Lind\n"
SMALL = tuple(
    word
    for setting in (
        "memorize.epochs=1",
        "memorize.warmup_steps=0",
        "generalize.warmup_steps=0",
        "generalize.epochs=1",
        "generalize.facts=1",
        "retain.texts=4",
        "retain.tokens=6",
        "retain.batch_size=2",
        "examine.known_facts=1",
        "examine.unseen_facts=1",
        "examine.choices=1",
        "examine.languages=[en]",
        "knowledge.samples=1",
    )
    for word in ("--set", setting)
)
"""Settings of a run that takes seconds."""
_OWN = ("generalize.epochs", "generalize.facts", "generalize.warmup_steps")
SMALL_TARGETS = tuple(
    word
    for setting in (*SMALL[1::2], "table.relations=[mother]", "table.count=2", "examine.facts=1")
    if not setting.startswith(_OWN)
    for word in ("--set", setting)
)
"""Settings of an experiment `targets` that takes seconds; what its runs say themselves is not changed."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def call_rote(*words: str | Path) -> Outcome:
    """Run a command line in this process; an error that is not the user's comes through."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["rote", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
    code = leaving.value.code or 0
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def list_tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, with the content of the files."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def build_model_folder(folder: Path) -> Path:
    """Save a random model of one layer."""
    tokenizer = train_tokenizer((f"{fact.subject} {fact.object}" for fact in load_fictional()), vocabulary_size=400)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    save_model(LanguageModel(LlamaForCausalLM(config), tokenizer, "tiny"), folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path


@dataclass(frozen=True)
class FinishedRun:
    folder: Path
    words: tuple[str | Path, ...]
    """The command line, without --resume."""
    outcome: Outcome


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> FinishedRun:
    """A run that was begun with --resume though there was nothing to resume."""
    place = tmp_path_factory.mktemp("finished")
    (place / "facts.csv").write_text(TABLE, encoding="utf-8")
    words: tuple[str | Path, ...] = (
        "run",
        place / "facts.csv",
        "--model",
        model_folder,
        "--out",
        place / "mine",
        *SMALL,
    )
    return FinishedRun(place / "mine", words, call_rote(*words, "--resume"))
