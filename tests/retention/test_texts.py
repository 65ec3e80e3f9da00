"""Texts a model writes by itself."""

import torch
from tests.models.conftest import build_language_model
from transformers import GPT2Config, GPT2LMHeadModel

from rote.models.language_model import LanguageModel
from rote.retention.texts import write_texts


def favour_end(language_model: LanguageModel) -> None:
    """Make the end of text likely, so that many texts end by themselves."""
    eos = language_model.tokenizer.eos_token_id
    language_model.model.lm_head.weight.data *= 0.2
    language_model.model.lm_head.weight.data[eos] *= 20


def test_texts_are_bounded_and_end_after_the_end_of_text(language_model: LanguageModel) -> None:
    favour_end(language_model)
    eos, told = language_model.tokenizer.eos_token_id, []
    texts = write_texts(
        language_model, count=300, tokens=10, seed=0, on_progress=lambda done, total: told.append((done, total))
    )
    assert len(texts) == 300
    assert {text[0] for text in texts} == {language_model.tokenizer.bos_token_id}
    assert {len(text) for text in texts} > {2, 10}
    assert max(map(len, texts)) == 10
    for text in texts:
        assert text.count(eos) == (text[-1] == eos)
        assert text[-1] == eos or len(text) == 10
    assert told[-1] == (300, 300)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_texts_are_a_function_of_the_seed(language_model: LanguageModel) -> None:
    first = write_texts(language_model, count=20, tokens=8, seed=0)
    torch.manual_seed(7)
    assert write_texts(language_model, count=20, tokens=8, seed=0) == first
    assert write_texts(language_model, count=20, tokens=8, seed=1) != first
    assert len({tuple(text) for text in first}) > 10


def test_a_longer_series_begins_with_other_batches_not_with_the_same_one(language_model: LanguageModel) -> None:
    texts = write_texts(language_model, count=500, tokens=6, seed=0)
    assert texts[:250] != texts[250:]


def test_a_models_own_settings_do_not_narrow_what_it_writes() -> None:
    plain, narrow = build_language_model(), build_language_model()
    settings = narrow.model.generation_config
    assert settings is not None
    settings.temperature, settings.top_p, settings.top_k, settings.repetition_penalty = 0.01, 0.1, 1, 5.0
    expected = write_texts(plain, count=30, tokens=8, seed=0)
    assert write_texts(narrow, count=30, tokens=8, seed=0) == expected


def test_nothing_is_written_where_nothing_is_asked_for(language_model: LanguageModel) -> None:
    assert write_texts(language_model, count=0, tokens=8, seed=0) == []


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
