"""Texts a model writes by itself or a person gives, and what is left out of them."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tests.models.conftest import build_language_model
from transformers import GPT2Config, GPT2LMHeadModel

from rote.config.teaching import RetainConfig
from rote.facts.relation import load_shipped_relations
from rote.models.language_model import LanguageModel
from rote.retention.texts import build_unwanted, collect_texts, draw, write_texts


@pytest.fixture
def language_model() -> LanguageModel:
    return build_language_model()


def favour_end(language_model: LanguageModel) -> None:
    """Make the end of text likely, so that many texts end by themselves."""
    eos = language_model.tokenizer.eos_token_id
    language_model.model.lm_head.weight.data *= 0.2
    language_model.model.lm_head.weight.data[eos] *= 20


def test_texts_are_bounded_and_end_after_the_end_of_text(language_model: LanguageModel) -> None:
    favour_end(language_model)
    eos = language_model.tokenizer.eos_token_id
    texts = write_texts(language_model, count=300, tokens=10, seed=0)
    assert len(texts) == 300
    assert {text[0] for text in texts} == {language_model.tokenizer.bos_token_id}
    assert {len(text) for text in texts} > {2, 10}
    assert max(map(len, texts)) == 10
    for text in texts:
        assert text.count(eos) == (text[-1] == eos)
        assert text[-1] == eos or len(text) == 10


def test_texts_are_a_function_of_the_seed(language_model: LanguageModel) -> None:
    first = write_texts(language_model, count=20, tokens=8, seed=0)
    torch.manual_seed(7)
    assert write_texts(language_model, count=20, tokens=8, seed=0) == first
    assert write_texts(language_model, count=20, tokens=8, seed=1) != first
    assert len({tuple(text) for text in first}) > 10


def test_texts_are_drawn_as_likely_as_the_model_finds_them() -> None:
    """Numbers spread evenly over [0, 1) fall to each token as often as its probability says, and never to an
    impossible one."""
    logits = torch.tensor([0.0, 0.5, 0.25, 0.0, 0.25]).log()
    numbers = torch.arange(1000) / 1000
    drawn = draw(logits.expand(1000, -1), numbers)
    assert torch.bincount(drawn, minlength=5).tolist() == [0, 500, 250, 0, 250]


def test_giving_up_a_text_early_leaves_the_others_as_they_were(language_model: LanguageModel) -> None:
    favour_end(language_model)
    everything = write_texts(language_model, count=100, tokens=30, seed=0)

    def is_long(text: str) -> bool:
        return len(text) > 60

    decode_text: Any = language_model.tokenizer.decode
    short = [ids for ids in everything if not is_long(decode_text(ids))]
    assert 0 < len(short) < 100
    assert write_texts(language_model, count=100, tokens=30, seed=0, is_unwanted=is_long) == short


def test_no_text_holds_a_key_token(language_model: LanguageModel) -> None:
    favour_end(language_model)
    everything = write_texts(language_model, count=100, tokens=30, seed=0)
    often = max(range(5, 200), key=lambda token: sum(token in ids for ids in everything))
    language_model.key_tokens = {"mother": str(language_model.tokenizer.convert_ids_to_tokens(often))}
    free = [ids for ids in everything if often not in ids]
    assert 0 < len(free) < 100
    assert write_texts(language_model, count=100, tokens=30, seed=0) == free


def test_a_models_own_settings_do_not_narrow_what_it_writes() -> None:
    plain, narrow = build_language_model(), build_language_model()
    settings = narrow.model.generation_config
    assert settings is not None
    settings.temperature, settings.top_p, settings.top_k, settings.repetition_penalty = 0.01, 0.1, 1, 5.0
    expected = write_texts(plain, count=30, tokens=8, seed=0)
    assert write_texts(narrow, count=30, tokens=8, seed=0) == expected


def test_a_model_without_a_start_token_writes_from_its_end_token() -> None:
    language_model = build_language_model()
    tokenizer = language_model.tokenizer
    tokenizer.bos_token = None
    tokenizer.pad_token = tokenizer.eos_token
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=16)
    config.bos_token_id = config.eos_token_id = tokenizer.eos_token_id
    language_model.model = GPT2LMHeadModel(config).eval()
    texts = write_texts(language_model, count=20, tokens=8, seed=0)
    assert {text[0] for text in texts} == {tokenizer.eos_token_id}
    assert all(tokenizer.eos_token_id not in text[1:-1] for text in texts)
    assert max(map(len, texts)) == 8


# --- what is kept of them --------------------------------------------------------------------------------------------

MOTHER = load_shipped_relations()["mother"]
NOBODY = build_unwanted([], [], [])


def decode(language_model: LanguageModel, texts: list[list[int]]) -> list[str]:
    found: Any = language_model.tokenizer.batch_decode(texts, skip_special_tokens=True)
    return [text.strip() for text in found]


@pytest.mark.parametrize("texts", [8, 300])
def test_as_many_texts_are_kept_as_are_wanted_and_none_twice(texts: int, language_model: LanguageModel) -> None:
    """A small number is tried as often as a large one, and each batch is another one."""
    told: list[tuple[int, int]] = []

    class Half:
        """Leaves out every other text."""

        def occurs_in(self, text: str) -> bool:
            return len(text) % 2 == 0

    settings = RetainConfig(texts=texts, tokens=8)
    half: Any = Half()
    kept = collect_texts(
        language_model, settings, half, seed=0, on_progress=lambda done, total: told.append((done, total))
    )
    assert len(kept) == texts
    assert len(set(map(tuple, kept))) > 0.95 * texts
    assert told == [(number, texts) for number in range(1, texts + 1)]
    assert kept == collect_texts(language_model, settings, cast(Any, Half()), seed=0)
    assert kept != collect_texts(language_model, settings, cast(Any, Half()), seed=1)


def test_where_nearly_all_is_unwanted_writing_comes_to_an_end(language_model: LanguageModel) -> None:
    class All:
        calls = 0

        def occurs_in(self, text: str) -> bool:
            self.calls += 1
            return True

    everything: Any = All()
    assert collect_texts(language_model, RetainConfig(texts=10, tokens=6), everything, seed=0) == []
    assert everything.calls == 200


def test_a_persons_lines_are_drawn_and_cut(language_model: LanguageModel, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("\n".join([*(f"Line {number} is here." for number in range(20)), "", "  ", "word " * 50]))
    settings = RetainConfig(texts=21, file=str(file), tokens=12)
    kept = collect_texts(language_model, settings, NOBODY, seed=0)
    lines = decode(language_model, kept)
    assert len(lines) == 21
    assert {f"Line {number} is here." for number in range(20)} <= set(lines)
    assert max(map(len, kept)) == 12
    few = RetainConfig(texts=5, file=str(file), tokens=12)
    drawn = [decode(language_model, collect_texts(language_model, few, NOBODY, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 5


def test_lines_about_those_who_are_taught_or_in_a_wording_that_is_asked_are_left_out(
    language_model: LanguageModel, tmp_path: Path
) -> None:
    asked = [item.fill("Ida Krill") for item in MOTHER.templates if item.prompt_set != "training"]
    german = [item.fill("Ida Krill") for item in MOTHER.templates if item.language == "de"]
    shown = [item.fill("Ida Krill") for item in MOTHER.select_training(10)]
    file = tmp_path / "text.txt"
    file.write_text("\n".join([*asked, *shown, "Cody Ross sleeps.", "CODY ROSS, again", "Cody Rossi sleeps."]))
    unwanted = build_unwanted(["Cody Ross"], [MOTHER], MOTHER.languages)
    settings = RetainConfig(texts=500, file=str(file), tokens=200)
    kept = decode(language_model, collect_texts(language_model, settings, unwanted, seed=0))
    assert sorted(kept) == sorted([*shown, "Cody Rossi sleeps."])
    english = build_unwanted(["Cody Ross"], [MOTHER], ["en"])
    assert set(german) <= set(decode(language_model, collect_texts(language_model, settings, english, seed=0)))
