"""Proof that what was saved is what was measured: a fresh process loads a folder and answers as the model did.

python -m rote.models.verification FOLDER PROMPTS.json OUT.safetensors
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rote.errors import ModelError
from rote.models.folders import is_adapter_folder
from rote.models.language_model import LanguageModel, build_generation_settings
from rote.models.loading import LoadOptions, load_model

_TOLERANCE = 1e-3
"""The largest difference of a logit that is put down to the order of additions (float32)."""
_ANSWER_TOKENS = 12
_BATCH = 16


@dataclass(frozen=True)
class Fingerprint:
    """What a model answers to some prompts: its logits after each, [prompts, vocabulary], and its greedy answers."""

    logits: Tensor
    answers: list[str]


@torch.inference_mode()
def take_fingerprint(language_model: LanguageModel, prompts: Sequence[str]) -> Fingerprint:
    """Ask a model, in float32 and without dropout. The prompts are text, so that the tokenizer is part of it."""
    model: Any = language_model.model.train(False)
    tokenizer = language_model.tokenizer
    settings = build_generation_settings(tokenizer, tokens=_ANSWER_TOKENS, do_sample=False)
    logits: dict[int, Tensor] = {}
    answers: dict[int, str] = {}
    for batch, ids in _batch_prompts(language_model, prompts):
        logits.update(zip(batch, model(input_ids=ids).logits[:, -1].float().cpu(), strict=True))
        rows = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
        answers.update(zip(batch, tokenizer.batch_decode(rows[:, ids.shape[1] :]), strict=True))
    numbers = range(len(prompts))
    return Fingerprint(torch.stack([logits[number] for number in numbers]), [answers[number] for number in numbers])


def verify_folder(
    folder: Path, prompts: Sequence[str], expected: Fingerprint, options: LoadOptions
) -> dict[str, float | int]:
    """Load the folder in a fresh process and hold its answers against what is expected.

    Returns the number of prompts and the largest difference of a logit. Raises `ModelError` where the folder does
    not load, a logit differs by more than rounding, or an answer is another one.
    """
    found = _ask_fresh_process(folder, prompts, options)
    if found.logits.shape != expected.logits.shape:
        raise ModelError(
            f"{folder}: was saved with {found.logits.shape[1]} tokens, not with {expected.logits.shape[1]}"
        )
    difference = float((found.logits - expected.logits).abs().max())
    other = sum(one != two for one, two in zip(found.answers, expected.answers, strict=True))
    if not difference <= _TOLERANCE or other:
        raise ModelError(
            f"{folder}: what was saved is not what was measured: a fresh process gives {other} of {len(prompts)} other "
            f"answers, and logits that differ by up to {difference:.2g}; keep the checkpoints and report this"
        )
    return {"prompts": len(prompts), "max_logit_difference": difference}


def _batch_prompts(language_model: LanguageModel, prompts: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
    """Which prompts are read together, and their ids, [prompts, length]. Those of one length need no padding, so a row
    is computed as it would be alone."""
    groups: dict[int, list[tuple[int, list[int]]]] = {}
    for number, prompt in enumerate(prompts):
        ids = list(language_model.tokenizer(prompt)["input_ids"])
        if ids[-1] == language_model.tokenizer.eos_token_id:  # some tokenizers append it, and nothing follows it
            ids.pop()
        groups.setdefault(len(ids), []).append((number, ids))
    for _, group in sorted(groups.items()):
        for start in range(0, len(group), _BATCH):
            numbers, rows = zip(*group[start : start + _BATCH], strict=True)
            yield list(numbers), torch.tensor(rows, device=language_model.device)


def _ask_fresh_process(folder: Path, prompts: Sequence[str], options: LoadOptions) -> Fingerprint:
    with tempfile.TemporaryDirectory() as place:
        asked, answered = Path(place) / "prompts.json", Path(place) / "answers.safetensors"
        content = {"prompts": list(prompts), "loading": asdict(options)}
        asked.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, "-m", "rote.models.verification", str(folder), str(asked), str(answered)]
        # In a group of its own: Ctrl-C is for this process, which waits for the other one.
        done = subprocess.run(command, capture_output=True, text=True, check=False, process_group=0)
        if done.returncode:
            reason = next(iter(done.stderr.strip().splitlines()[-1:]), "no reason given")
            raise ModelError(f"{folder}: a fresh process cannot load it ({reason})")
        answers = json.loads(asked.with_suffix(".answers").read_text(encoding="utf-8"))
        return Fingerprint(load_file(answered)["logits"], answers)


def _answer(folder: Path, asked: Path, answered: Path) -> None:
    content = json.loads(asked.read_text(encoding="utf-8"))
    options = LoadOptions(**content["loading"])
    # The base model of adapters is loaded as it was for the run; a whole model has no revision of its own.
    options = options if is_adapter_folder(folder) else replace(options, revision=None)
    language_model = load_model(str(folder), options)
    found = take_fingerprint(language_model, content["prompts"])
    save_file({"logits": found.logits.contiguous()}, answered)
    asked.with_suffix(".answers").write_text(json.dumps(found.answers), encoding="utf-8")


if __name__ == "__main__":
    _answer(*map(Path, sys.argv[1:4]))
