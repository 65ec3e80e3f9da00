"""Proof that what was saved is what was measured: a fresh process loads a folder and answers as the model did.

python -m rote.pipeline.verification FOLDER PROMPTS.json OUT.safetensors
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rote.encoding.example import encode_prompt
from rote.errors import ModelError
from rote.evaluation.generation import generate_answers, plan_batches, read_prompts
from rote.models.language_model import LanguageModel, LoadOptions, is_adapter_folder, load_model

_TOLERANCE = 1e-3
"""The largest difference of a logit that is put down to the order of additions (float32)."""
_ANSWER_TOKENS = 12
_BATCH = 16


@dataclass(frozen=True)
class Fingerprint:
    """What a model answers to some prompts: its logits after each, [prompts, vocabulary], and its greedy answers."""

    logits: Tensor
    answers: list[str]


def take_fingerprint(language_model: LanguageModel, prompts: Sequence[str]) -> Fingerprint:
    """Read the prompts as text, so that the tokenizer is part of it."""
    model, tokenizer = language_model.model, language_model.tokenizer
    ids = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    logits: dict[int, Tensor] = {}
    with torch.inference_mode():
        for batch in plan_batches([len(row) for row in ids], _BATCH):
            found = read_prompts(model, [ids[index] for index in batch]).logits.float().cpu()
            logits.update(zip(batch, found, strict=True))
    nothing: list[tuple[str, ...]] = [()] * len(ids)
    answers = generate_answers(model, tokenizer, ids, nothing, batch_size=_BATCH, max_new_tokens=_ANSWER_TOKENS)
    return Fingerprint(torch.stack([logits[index] for index in range(len(ids))]), answers)


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


def _ask_fresh_process(folder: Path, prompts: Sequence[str], options: LoadOptions) -> Fingerprint:
    with tempfile.TemporaryDirectory() as place:
        asked, answered = Path(place) / "prompts.json", Path(place) / "answers.safetensors"
        content = {"prompts": list(prompts), "loading": asdict(options)}
        asked.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, "-m", __name__, str(folder), str(asked), str(answered)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
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
