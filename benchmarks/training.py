"""Training on rote lines: Rote's loop beside a loop written by hand and the trainers of transformers and TRL."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from datasets import Dataset
from transformers import DataCollatorForLanguageModeling, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from trl import SFTConfig, SFTTrainer

import rote
from benchmarks.models import build_model
from benchmarks.pairs import Contender, Row, Spent, check_close, race, read_clocks
from rote.encoding.example import Batch, collate
from rote.methods.memorize_then_generalize import build_memorize_stage
from rote.methods.teaching import draw_order
from rote.models.language_model import LanguageModel
from rote.retention.penalty import Retention
from rote.training.loop import LoopPlan, Term, run_loop
from rote.training.losses import can_pack, next_token_loss
from rote.training.optimizer import OptimizerSettings

WORK = (
    "Updates on rote lines of the fictional table, 16 in a batch, loss on all tokens, AdamW at a constant learning "
    "rate, gradients clipped at 1; before timing, the losses of the first six steps were the same to 1e-4."
)
STEPS = {"rote-tiny": 16, "llama-135m": 4}
BATCH = 16
_RATE = 5e-4
_CHECKED = 6
_SKIPPED = 2
"""Steps at the start of a piece that do not count: optimizers get their memory there."""

Lines = Sequence[Sequence[int]]
"""The ids of texts, in the order they are trained on."""


@dataclass
class Log:
    """What was noted during training: the loss of each step, and the clocks once its update was done."""

    losses: list[float] = field(default_factory=list)
    clocks: list[Spent] = field(default_factory=list)

    def per_step(self) -> Spent:
        """What a step took."""
        return self.clocks[-1].since(self.clocks[_SKIPPED - 1]).share(len(self.clocks) - _SKIPPED)


Train = Callable[[LanguageModel, Lines], Log]
"""Trains a copy of the model once on all lines."""


def run(name: str, pairs: int) -> list[Row]:
    """Rows of `training`."""
    model = build_model(name)
    lines = encode_lines(model, STEPS[name] * BATCH)
    wanted = train_ours(model, lines[: _CHECKED * BATCH]).losses
    for peer, train in _PEERS.items():
        check_close(wanted, train(model, lines[: _CHECKED * BATCH]).losses, what=f"training, losses of {peer}")
    contenders = {"rote": train_ours, **_PEERS}
    return race("training", name, {peer: _time(train, model, lines) for peer, train in contenders.items()}, pairs)


def _time(train: Train, model: LanguageModel, lines: Lines) -> Contender:
    return lambda: train(model, lines).per_step()


def encode_lines(model: LanguageModel, count: int) -> Lines:
    """Rote lines in the order that memorize sees them in, over as many epochs as it takes."""
    examples = build_memorize_stage(model, rote.load_fictional().facts, rote.MemorizeConfig()).examples
    epochs = -(-count // len(examples))
    order = [number for epoch in range(epochs) for number in draw_order(len(examples), 0, epoch)]
    return [examples[number].ids for number in order[:count]]


def collate_lines(lines: Lines, step: int, pad_id: int) -> Batch:
    """The batch of a step, with a label on every token."""
    return collate([(ids, ids) for ids in lines[step * BATCH : (step + 1) * BATCH]], pad_id=pad_id)


def train_ours(model: LanguageModel, lines: Lines, retention: Retention | None = None) -> Log:
    """Rote's loop, with what is retained beside the lines."""
    trained, log = copy.deepcopy(model.model), Log()
    pad_id = model.tokenizer.pad_token_id or 0

    def build_terms(step: int) -> list[Term]:
        batch = collate_lines(lines, step, pad_id)
        terms = [Term(batch, next_token_loss, 1.0 / batch.target_count)]
        return [*terms, *retention.build_terms(step)] if retention else terms

    def note(done: int, steps: int, loss: float) -> None:
        log.losses.append(loss)
        log.clocks.append(read_clocks())

    plan = LoopPlan(len(lines) // BATCH, build_terms, pack=can_pack(trained))
    run_loop(trained, plan, OptimizerSettings(_RATE, warmup_steps=0, decay_share=0), on_progress=note)
    return log


def _train_by_hand(model: LanguageModel, lines: Lines) -> Log:
    trained, log = copy.deepcopy(model.model).train(), Log()
    pad_id = model.tokenizer.pad_token_id or 0
    optimizer = torch.optim.AdamW(trained.parameters(), lr=_RATE, weight_decay=0, fused=True)
    for step in range(len(lines) // BATCH):
        batch = collate_lines(lines, step, pad_id)
        mask = (batch.labels >= 0).long()  # every token has a label here
        loss = trained(input_ids=batch.input_ids, attention_mask=mask, labels=batch.labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        log.losses.append(loss.item())
        log.clocks.append(read_clocks())
    return log


def _train_with_transformers(model: LanguageModel, lines: Lines) -> Log:
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            copy.deepcopy(model.model),
            TrainingArguments(folder, **_ARGUMENTS),
            data_collator=DataCollatorForLanguageModeling(model.tokenizer, mlm=False),
            train_dataset=_build_dataset(lines),
        )
        return _run(trainer)


def _train_with_trl(model: LanguageModel, lines: Lines, *, padding_free: bool = False) -> Log:
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            copy.deepcopy(model.model),
            SFTConfig(folder, **_ARGUMENTS, max_length=None, padding_free=padding_free),
            train_dataset=_build_dataset(lines),
            processing_class=copy.deepcopy(model.tokenizer),
        )
        return _run(trainer)


def _train_padding_free(model: LanguageModel, lines: Lines) -> Log:
    return _train_with_trl(model, lines, padding_free=True)


_PEERS: dict[str, Train] = {
    "loop by hand": _train_by_hand,
    "transformers.Trainer": _train_with_transformers,
    "trl.SFTTrainer": _train_with_trl,
    "trl.SFTTrainer, padding_free": _train_padding_free,
}
_ARGUMENTS: dict[str, Any] = {
    "per_device_train_batch_size": BATCH,
    "num_train_epochs": 1,
    "learning_rate": _RATE,
    "lr_scheduler_type": "constant",
    "optim": "adamw_torch_fused",
    "train_sampling_strategy": "sequential",
    "activation_checkpointing": False,
    "bf16": False,
    "use_cpu": True,
    "dataloader_pin_memory": False,
    "logging_strategy": "no",
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}


def _build_dataset(lines: Lines) -> Dataset:
    return Dataset.from_dict({"input_ids": [list(ids) for ids in lines]})


class _Clock(TrainerCallback):
    def __init__(self, log: Log) -> None:
        self._log = log

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._log.clocks.append(read_clocks())


def _run(trainer: Any) -> Log:
    """Train, and note the loss of each step as the trainer computes it: what it logs is rounded."""
    log, take_step = Log(), trainer.training_step

    def training_step(*args: Any, **options: Any) -> Any:
        loss = take_step(*args, **options)
        log.losses.append(float(loss))
        return loss

    trainer.training_step = training_step
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Clock(log))
    trainer.train()
    return log
