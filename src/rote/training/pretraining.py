"""Making the embedded model: `rote-tiny`, pretrained from scratch on the documents of `rote.facts.corpus`.

Runs unchanged on a CPU or on CUDA; the recipe is `configs/pretrain.yaml`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from rote.config.pretrain import PretrainConfig
from rote.encoding.example import IGNORE, Batch, collate
from rote.errors import RunError
from rote.facts.corpus import Corpus, CorpusMix
from rote.facts.relation import load_shipped_relations
from rote.facts.shipped import load_world
from rote.models.embedded import write_checksums
from rote.models.tokenizer import train_tokenizer
from rote.runs.files import replace_file, replace_folder
from rote.runs.reporting import Reporter
from rote.training.loop import Checkpointing, LoopPlan, Term, run_loop
from rote.training.losses import next_token_loss
from rote.training.optimizer import OptimizerSettings

_SHAPES = ((64, 13), (32, 17), (32, 25), (16, 49), (16, 65), (8, 81), (4, 129))
"""The (rows, length) of every batch: few fixed shapes, so that each is compiled once."""


def pretrain_embedded(config: PretrainConfig, out: Path, *, reporter: Reporter) -> Path:
    """Pretrain by a recipe, resuming what `out` holds; returns the folder of the finished model, in bfloat16.

    Raises `RunError` when `out` holds the checkpoints of another recipe.
    """
    with reporter.step("pretrain") as advance:
        model, tokenizer = pretrain(
            config, out, on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}")
        )
    with replace_folder(out / "model") as target:
        model.bfloat16().save_pretrained(target)
        tokenizer.save_pretrained(target)
        write_checksums(target)
    return out / "model"


def build_corpus(config: PretrainConfig) -> Corpus:
    """The corpus of a recipe: all shipped relation packs and the world's facts."""
    mix = CorpusMix(**config.mix.model_dump())
    return Corpus(load_shipped_relations(), load_world(), mix=mix, seed=config.seed)


def build_tokenizer(config: PretrainConfig, corpus: Corpus) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a recipe on the first steps of its corpus."""
    documents = (text for step in range(config.tokenizer_steps) for text in corpus.build_documents(step))
    return train_tokenizer(documents, vocabulary_size=config.vocabulary_size)


def build_model(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A model with fresh weights, drawn from the recipe's seed."""
    torch.manual_seed(config.seed)
    model_config = LlamaConfig(
        **config.model.model_dump(),
        vocab_size=config.vocabulary_size,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(model_config)


def pretrain(
    config: PretrainConfig,
    work_dir: Path,
    *,
    on_progress: Callable[[int, int, float], None] | None = None,
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Train a model by a recipe, resuming from the checkpoints in `work_dir`; returns it with its tokenizer.

    Raises `RunError` when `work_dir` holds the checkpoints of another recipe.
    """
    _claim(work_dir, config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    corpus = build_corpus(config)
    tokenizer = build_tokenizer(config, corpus)
    model = build_model(config, tokenizer)
    model.to(device)  # type: ignore[arg-type]  # the wrapper of transformers hides torch's overloads
    if config.compile:
        model.compile(dynamic=False)
    plan = LoopPlan(
        steps=config.training.steps,
        build_terms=lambda step: _build_terms(corpus.build_documents(step), tokenizer),
        seed=config.seed,
    )
    settings = OptimizerSettings(**config.training.model_dump(exclude={"steps"}))
    checkpointing = Checkpointing(work_dir / "checkpoints", every_seconds=300.0)
    run_loop(model, plan, settings, checkpointing=checkpointing, on_progress=on_progress)
    return model, tokenizer


def _claim(work_dir: Path, config: PretrainConfig) -> None:
    """Refuse a folder whose checkpoints another recipe made; only the number of steps may change."""
    recipe = config.model_dump_json(exclude={"training": {"steps"}, "compile": True})
    file = work_dir / "recipe.json"
    if file.is_file() and file.read_text(encoding="utf-8") != recipe:
        raise RunError(f"{work_dir}: holds the checkpoints of another recipe; choose another --out")
    with replace_file(file) as draft:
        draft.write_text(recipe, encoding="utf-8")


def _build_terms(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> list[Term]:
    batches = list(_build_batches(documents, tokenizer))
    targets = sum(batch.target_count for batch in batches)
    return [Term(batch, next_token_loss, 1.0 / targets) for batch in batches]


def _build_batches(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> Iterator[Batch]:
    """Batches of the fixed shapes; every document is a row of its own and ends with the end-of-text token (the
    tokenizer puts the start-of-text token before it).

    Rows that do not fill a batch of their length wait for the next longer one; the last batch is filled with rows
    that have no labels.
    """
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    longest = _SHAPES[-1][1]
    rows = sorted(([*ids, eos][:longest] for ids in tokenizer(documents)["input_ids"]), key=len)
    for count, length in _SHAPES:
        fitting = [row for row in rows if len(row) <= length]
        rows = rows[len(fitting) :]
        full = len(fitting) if length == longest else len(fitting) - len(fitting) % count
        for start in range(0, full, count):
            members = fitting[start : start + count]
            empty = [([pad], [IGNORE])] * (count - len(members))
            yield collate([*((ids, ids) for ids in members), *empty], pad_id=pad, length=length)
        rows = fitting[full:] + rows
