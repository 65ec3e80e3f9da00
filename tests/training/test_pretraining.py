"""Making the embedded model, in the smallest size."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.conftest import copy_weights, have_same_weights
from transformers import PreTrainedTokenizerFast

from rote.config.pretrain import DocumentMix, ModelShape, PretrainConfig, PretrainTraining
from rote.encoding.example import IGNORE
from rote.training import pretraining
from rote.training.loop import Checkpointing
from rote.training.pretraining import build_corpus, build_tokenizer, pretrain

LONGEST = 129
EOS, PAD = 1, 2
STEPS = 4


class Interrupted(Exception):
    pass


class NumberTokenizer:
    """Documents are numbers; document n of length l becomes l tokens that no other document has."""

    eos_token_id, pad_token_id = EOS, PAD

    def __call__(self, documents: list[tuple[int, int]]) -> dict[str, list[list[int]]]:
        return {"input_ids": [[10 + number] * length for number, length in documents]}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=120))
def test_every_document_is_in_one_batch_of_a_fixed_shape(lengths: list[int]) -> None:
    documents = list(enumerate(lengths))
    batches = list(pretraining._build_batches(documents, NumberTokenizer()))  # type: ignore[arg-type]
    assert {tuple(batch.input_ids.shape) for batch in batches} <= set(pretraining._SHAPES)
    seen: Counter[tuple[int, ...]] = Counter()
    for batch in batches:
        for ids, labels in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
            stop = next((place for place, label in enumerate(labels) if label == IGNORE), len(labels))
            assert labels[:stop] == ids[:stop], "everything in a document is learned"
            assert set(labels[stop:]) <= {IGNORE}
            seen[tuple(ids[:stop])] += bool(stop)
    expected = Counter(tuple([*[10 + number] * length, EOS][:LONGEST]) for number, length in documents)
    assert {row: count for row, count in seen.items() if row} == expected


def build_config(**changes: int) -> PretrainConfig:
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    return PretrainConfig(
        seed=changes.get("seed", 0),
        vocabulary_size=600,
        tokenizer_steps=2,
        model=ModelShape(**shape, intermediate_size=64, max_position_embeddings=256, tie_word_embeddings=True),
        mix=DocumentMix(single=24, list=4, context=4, burst=4, burst_facts=4, burst_steps=2),
        training=PretrainTraining(
            steps=STEPS,
            learning_rate=1e-2,
            warmup_steps=0,
            decay_share=0.5,
            weight_decay=0.1,
            beta2=0.95,
            clip_norm=1.0,
        ),
        compile=False,
    )


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    config = build_config()
    return build_tokenizer(config, build_corpus(config))


def test_the_documents_of_a_step_are_all_there_and_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = build_corpus(build_config()).build_documents(1)
    found: list[str] = []
    for batch in pretraining._build_batches(documents, tokenizer):
        for labels in batch.labels.tolist():
            ids = [token for token in labels if token != IGNORE]
            if ids:
                assert ids[0] == tokenizer.bos_token_id
                whole = ids[-1] == tokenizer.eos_token_id
                text = str(tokenizer.decode(ids[1:-1] if whole else ids[1:])).removeprefix(" ")
                found.append(text if whole else next(item for item in documents if item.startswith(text)))
    assert Counter(found) == Counter(documents)


def test_pretraining_lowers_the_loss_and_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pretraining, "Checkpointing", lambda folder, every_seconds: Checkpointing(folder, every_seconds=-1.0)
    )
    losses: list[float] = []
    model, tokenizer = pretrain(
        build_config(), tmp_path / "whole", on_progress=lambda done, total, loss: losses.append(loss)
    )
    assert len(losses) == STEPS
    assert losses[1] < losses[0]
    assert losses[-1] < losses[0] - 0.3

    def interrupt(done: int, total: int, loss: float) -> None:
        if done == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        pretrain(build_config(), tmp_path / "killed", on_progress=interrupt)
    done: list[int] = []
    resumed, same_tokenizer = pretrain(
        build_config(), tmp_path / "killed", on_progress=lambda number, *_: done.append(number)
    )
    assert done == [3, 4]
    assert have_same_weights(resumed, copy_weights(model))
    assert same_tokenizer.get_vocab() == tokenizer.get_vocab()
    assert model.config.vocab_size == len(tokenizer) == 600


def test_another_seed_is_another_model(tmp_path: Path) -> None:
    first, _ = pretrain(build_config(), tmp_path / "0")
    second, _ = pretrain(build_config(seed=1), tmp_path / "1")
    assert not have_same_weights(second, copy_weights(first))
