"""Teach 50 real facts to a tiny model of every architecture, with every tokenizer, in every way; print a table.

    python scripts/check_architectures.py FACTS TOKENIZERS [--out FOLDER]

FACTS is a table of at least 50 facts, TOKENIZERS a folder with one folder per tokenizer; a SentencePiece-like one
(metaspace, byte fallback) is trained beside them. Models are random. Every combination runs `rote run`, which saves the
model and loads it in a fresh process; what is finished in --out is not done again.
"""

import argparse
import itertools
import json
import shutil
import string
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from rote.config.job import Config
from rote.facts.fact import FactTable
from rote.facts.reading import ReadOptions, load_usable, save_table
from rote.models.language_model import LanguageModel
from rote.models.saving import save_model
from rote.pipeline.run import run
from rote.runs.folder import RunFolder, read_json

FACTS = 50
TABLE = "facts.jsonl"
"""Where they lie in the folder of results."""
KEY_STRATEGIES = ("new", "reserved", "existing")
TUNINGS = ("full", "lora")
_SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
_GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256}
_GROUPED = {**_SMALL, "num_key_value_heads": 2}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "Qwen2": ("Qwen2", {**_GROUPED, "tie_word_embeddings": True}),
    "Llama": ("Llama", {**_GROUPED, "tie_word_embeddings": False}),
    "Llama, tied": ("Llama", {**_GROUPED, "tie_word_embeddings": True}),
    "Phi-3": ("Phi3", {**_GROUPED, "tie_word_embeddings": False}),
    "GPT-2": ("GPT2", {**dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0), **_GPT2}),
    "GPT-NeoX": ("GPTNeoX", {**_SMALL, "tie_word_embeddings": False}),
    "Gemma": ("Gemma", {**_GROUPED, "head_dim": 16, "tie_word_embeddings": True}),
    "Mistral": ("Mistral", {**_GROUPED, "tie_word_embeddings": False}),
}


@dataclass(frozen=True)
class Combination:
    """One way to teach one model."""

    architecture: str
    tokenizer: str
    tuning: str
    key_strategy: str

    @property
    def name(self) -> str:
        return "-".join((self.architecture, self.tokenizer, self.tuning, self.key_strategy)).replace(", ", "-")


def train_metaspace_tokenizer(facts: FactTable) -> PreTrainedTokenizerFast:
    """A tokenizer like Llama-2's: BPE over metaspace with byte fallback and a start-of-text token."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    byte_tokens = [f"<0x{number:02X}>" for number in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=["<unk>", "<s>", "</s>", *byte_tokens], show_progress=False
    )
    # The byte tokens are special, which decoding leaves out, so every letter gets a token of its own.
    texts = [string.ascii_letters, *(f"{fact.subject} {fact.object}" for fact in facts)]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def build_base(architecture: str, tokenizer: PreTrainedTokenizerBase, *, room: int) -> LanguageModel:
    """A random model whose vocabulary has `room` rows that no token has.

    Adapters leave the embeddings as they are: with rows as short as usual no answer could ever be likely, and with the
    row of zeros that a random model has for padding, which often is the end of text, no answer could ever end.
    """
    kind, shape = ARCHITECTURES[architecture]
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id")}
    settings = {"vocab_size": len(tokenizer) + room, "initializer_range": 0.2, **shape, **ids, "pad_token_id": None}
    config = getattr(transformers, f"{kind}Config")(**settings)
    torch.manual_seed(0)
    return LanguageModel(transformers.AutoModelForCausalLM.from_config(config), tokenizer, architecture)


def is_misread(combination: Combination) -> bool:
    """Whether `transformers` puts another tokenizer in the place of the one that was saved, which loses spaces."""
    return (combination.architecture, combination.tokenizer) == ("Qwen2", "metaspace")


def teach(combination: Combination, tokenizers: dict[str, Any], out: Path) -> dict[str, Any]:
    """One run; what it proved."""
    folder = RunFolder(out / combination.name)
    if not folder.is_finished:
        room = 8 if combination.key_strategy == "reserved" else 0
        base = out / f"base-{combination.architecture}-{combination.tokenizer}-{room}".replace(", ", "-")
        if not base.is_dir():
            save_model(build_base(combination.architecture, tokenizers[combination.tokenizer], room=room), base)
        shutil.rmtree(folder.path, ignore_errors=True)
        run(build_config(combination, base, out / TABLE), out=folder.path)
        for heavy in (folder.model, out / "store"):  # its stages are shared with no other combination
            shutil.rmtree(heavy)
    history = read_json(folder.history("memorize"))
    saved = read_json(folder.manifest)["saved"]["model"]
    return {**vars(combination), "recall": history[-1]["key_recall"], "epochs": history[-1]["epoch"], **saved}


def build_config(combination: Combination, base: Path, table: Path) -> Config:
    """Enough epochs for a random model; nothing is asked but what the proof needs."""
    return Config.model_validate(
        {
            "model": str(base),
            "table": {"file": str(table)},
            "tuning": combination.tuning,
            "key_strategy": combination.key_strategy,
            "lora": {"rank": 64, "alpha": 128, "learning_rate_factor": 1.0},
            "memorize": {"epochs": 60, "learning_rate": 5e-3, "stop_at_recall": 1.0},
            "generalize": {"facts": 1, "epochs": 1, "learning_rate": 1e-6},
            "retain": {"texts": 0},
            "knowledge": {"samples": 0},
            "examine": {
                "facts": 1,
                "languages": ["en"],
                "known_facts": 0,
                "unseen_facts": 0,
                "choices": 0,
                "control_prompts": 1,
            },
        }
    )


def load_tokenizers(folder: Path, facts: FactTable) -> dict[str, Any]:
    """Those of the folder and one that is trained."""
    found = {path.name: AutoTokenizer.from_pretrained(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    every = {**found, "metaspace": train_metaspace_tokenizer(facts)}
    return dict(sorted(every.items(), key=lambda item: len(item[1])))  # the quick ones first


def list_combinations(tokenizers: list[str], *, every: bool) -> Iterator[Combination]:
    """All of them; or for every architecture with every tokenizer, tuned either way, one key strategy in turn."""
    for first, tokenizer in enumerate(tokenizers):
        for (second, architecture), (third, tuning) in itertools.product(enumerate(ARCHITECTURES), enumerate(TUNINGS)):
            turn = (first + second + third) % len(KEY_STRATEGIES)
            for strategy in KEY_STRATEGIES if every else KEY_STRATEGIES[turn : turn + 1]:
                yield Combination(architecture, tokenizer, tuning, strategy)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facts", type=Path)
    parser.add_argument("tokenizers", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--all", action="store_true", help="not just a third: every key strategy with everything")
    parser.add_argument("--only", default="", help="part of the names of the combinations to run")
    arguments = parser.parse_args()
    options = ReadOptions(merge_repeats=True, skip_faulty=True)
    table = load_usable(arguments.facts, (), options).table
    facts = FactTable(tuple(list(table)[:FACTS]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_table(facts, arguments.out / TABLE)
    tokenizers = load_tokenizers(arguments.tokenizers, facts)
    rows = []
    for combination in list_combinations(list(tokenizers), every=arguments.all):
        if arguments.only in combination.name and not is_misread(combination):
            rows.append(teach(combination, tokenizers, arguments.out))
            print(json.dumps(rows[-1]), flush=True)
    if not rows:
        parser.error(f"--only {arguments.only}: is part of the name of no combination")
    proved = [row for row in rows if row["recall"] == 1.0 and row["max_logit_difference"] < 1e-4]
    print(f"{len(proved)} of {len(rows)} at recall 1.0 with a logit difference under 1e-4")
    return 0 if len(proved) == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
