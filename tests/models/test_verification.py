"""The fingerprint of a model: the same at every asking, and another one where anything about the answers changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import build_language_model

from rote.errors import ModelError
from rote.models.key_tokens import find_key_tables
from rote.models.language_model import LanguageModel
from rote.models.loading import SAFE
from rote.models.saving import save_model
from rote.models.verification import take_fingerprint, verify_folder

PROMPTS = ["Gene Finley", "Who is Cody Ross's mother?", "Cody Ross", "妈妈是谁？", "Mei Lin", "Gene Finley"]


def test_it_is_the_same_at_every_asking_whatever_is_asked_beside(language_model: LanguageModel) -> None:
    first = take_fingerprint(language_model, PROMPTS)
    torch.manual_seed(7)
    language_model.model.train()
    again = take_fingerprint(language_model, PROMPTS)
    assert not language_model.model.training
    assert torch.equal(again.logits, first.logits)
    assert again.answers == first.answers
    assert first.logits.shape == (len(PROMPTS), len(language_model.tokenizer))
    assert first.logits.dtype == torch.float32
    assert len({*first.answers}) == len({*PROMPTS})
    for number, prompt in enumerate(PROMPTS):
        alone = take_fingerprint(language_model, [prompt])
        assert torch.allclose(alone.logits[0], first.logits[number], atol=1e-4)
        assert alone.answers == [first.answers[number]]


def test_it_is_what_transformers_gives() -> None:
    language_model = build_language_model()
    model: Any = language_model.model
    found = take_fingerprint(language_model, PROMPTS)
    for prompt, logits, answer in zip(PROMPTS, found.logits, found.answers, strict=True):
        inputs = language_model.tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            assert torch.allclose(model(**inputs).logits[0, -1], logits, atol=1e-4)
            said = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
        assert language_model.tokenizer.decode(said) == answer


def move_a_weight(language_model: LanguageModel) -> None:
    with torch.no_grad():
        find_key_tables(language_model)[-1][7] += 0.01


def lose_the_start(language_model: LanguageModel) -> None:
    language_model.tokenizer.backend_tokenizer.post_processor = None


@pytest.mark.parametrize("change", [move_a_weight, lose_the_start])
def test_a_fresh_process_notices_what_is_another(change: Callable[[LanguageModel], None], tmp_path: Path) -> None:
    language_model = build_language_model()
    expected = take_fingerprint(language_model, PROMPTS)
    change(language_model)
    save_model(language_model, tmp_path / "model")
    with pytest.raises(ModelError, match=r"what was saved is not what was measured: a fresh process gives") as caught:
        verify_folder(tmp_path / "model", PROMPTS, expected, SAFE)
    assert "\n" not in str(caught.value)
