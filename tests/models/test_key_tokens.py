"""Key tokens: new rows that mean nothing, beside old ones that stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import build_language_model, build_tokenizer
from tokenizers import AddedToken
from torch import Tensor

from rote.encoding.example import collate, encode
from rote.errors import ModelError
from rote.facts.fact import build_fact
from rote.facts.text import build_rote_text
from rote.models.key_tokens import add_key_tokens, check_keys_moved, get_key_rows, looks_reserved
from rote.models.language_model import LanguageModel
from rote.models.loading import load_model
from rote.models.saving import save_model

RELATIONS = ("mother", "capital", "genre")
KINDS: dict[str, dict[str, Any]] = {
    "untied": {},
    "tied": {"tie_word_embeddings": True},
    "padded": {"vocab_size": 1024},
    "padded-tied": {"vocab_size": 1024, "tie_word_embeddings": True},
    "padded-by-one": {"vocab_size": len(build_tokenizer()) + 1},
}


@pytest.fixture(params=KINDS)
def any_model(request: pytest.FixtureRequest) -> LanguageModel:
    return build_language_model(**KINDS[request.param])


def get_tables(language_model: LanguageModel) -> list[Tensor]:
    model: Any = language_model.model
    return [model.get_input_embeddings().weight.detach(), model.get_output_embeddings().weight.detach()]


def compute_logits(language_model: LanguageModel, text: str) -> Tensor:
    ids = torch.tensor([language_model.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        logits: Tensor = language_model.model(ids).logits
    return logits


def test_what_was_there_stays_as_it_was(any_model: LanguageModel) -> None:
    text = "Who is Gene Finley's mother? 妈妈是谁？"
    known = len(any_model.tokenizer)
    tables, ids = [table[:known].clone() for table in get_tables(any_model)], any_model.tokenizer(text)["input_ids"]
    logits = compute_logits(any_model, text)
    add_key_tokens(any_model, RELATIONS)
    assert any_model.tokenizer(text)["input_ids"] == ids
    for before, after in zip(tables, get_tables(any_model), strict=True):
        assert torch.equal(after[:known], before)
    assert torch.equal(compute_logits(any_model, text)[..., :known], logits[..., :known])


def test_every_relation_gets_one_token_of_its_own(any_model: LanguageModel) -> None:
    tied = any_model.model.config.tie_word_embeddings
    add_key_tokens(any_model, RELATIONS)
    assert any_model.key_tokens == {"mother": "[X1]", "capital": "[X2]", "genre": "[X3]"}
    vocabulary = any_model.tokenizer.get_vocab()
    ids = [vocabulary[token] for token in any_model.key_tokens.values()]
    assert len(set(ids)) == 3
    rows = max(len(any_model.tokenizer), any_model.model.config.vocab_size)
    for table in get_tables(any_model):
        assert max(ids) < table.shape[0] == rows
        assert torch.isfinite(table).all()
    model = any_model.model
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied
    text = f"Gene Finley {any_model.key_tokens['capital']} Port Varda"
    assert any_model.tokenizer(text)["input_ids"].count(ids[1]) == 1
    assert compute_logits(any_model, text).shape[-1] == get_tables(any_model)[1].shape[0]


def test_a_name_before_a_key_has_the_tokens_it_always_has(language_model: LanguageModel) -> None:
    name = language_model.tokenizer("Gene Finley")["input_ids"]
    other = language_model.tokenizer("Cody Ross")["input_ids"][1:]
    add_key_tokens(language_model, ("mother",))
    key = language_model.tokenizer.convert_tokens_to_ids("[X1]")
    assert language_model.tokenizer("Gene Finley [X1] Cody Ross")["input_ids"] == [*name, key, *other]


def test_a_new_row_lies_among_the_old_ones_and_near_no_other_key(any_model: LanguageModel) -> None:
    known = len(any_model.tokenizer)
    add_key_tokens(any_model, RELATIONS)
    for table in get_tables(any_model):
        old, rows = table[:known], table[known : known + 3]
        noise = rows - old.mean(dim=0)
        assert (noise.abs() < old.std(dim=0)).all()
        assert noise.std() > 0.05 * old.std()
        apart = torch.nn.functional.cosine_similarity(noise[:, None], noise[None], dim=-1)
        assert (apart - torch.eye(3)).abs().max() < 0.7


def test_keys_added_one_after_another_are_as_distinct_as_together(language_model: LanguageModel) -> None:
    for relation in RELATIONS:
        add_key_tokens(language_model, (relation,))
    assert list(language_model.key_tokens.values()) == ["[X1]", "[X2]", "[X3]"]
    rows = get_key_rows(language_model, RELATIONS)
    old = get_tables(language_model)[0][:-3]
    for first in range(3):
        for second in range(first):
            assert (rows[first] - rows[second]).norm() > 0.05 * old.std() * rows.shape[1] ** 0.5


def test_adding_again_changes_nothing(any_model: LanguageModel) -> None:
    add_key_tokens(any_model, RELATIONS[:2], seed=1)
    tables, tokens = [table.clone() for table in get_tables(any_model)], dict(any_model.key_tokens)
    add_key_tokens(any_model, RELATIONS[:2], seed=2)
    assert any_model.key_tokens == tokens
    assert all(torch.equal(old, new) for old, new in zip(tables, get_tables(any_model), strict=True))
    add_key_tokens(any_model, RELATIONS, seed=2)
    assert any_model.key_tokens == {**tokens, "genre": "[X3]"}
    for old, new in zip(tables, get_tables(any_model), strict=True):
        ids = any_model.tokenizer.convert_tokens_to_ids(["[X1]", "[X2]"])
        assert torch.equal(new[ids], old[ids])


def test_the_seed_decides_the_rows() -> None:
    rows = []
    for seed in (0, 0, 1):
        language_model = build_language_model()
        add_key_tokens(language_model, RELATIONS, seed=seed)
        torch.manual_seed(99)  # nothing but the seed counts
        rows.append(get_key_rows(language_model, RELATIONS))
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


@pytest.mark.parametrize(
    ("pattern", "relations"), [("Gene", ("mother",)), ("[X]", ("mother", "capital")), ("[Y{number}]", RELATIONS)]
)
def test_a_token_that_is_there_already_is_refused(
    language_model: LanguageModel, pattern: str, relations: tuple[str, ...]
) -> None:
    language_model.tokenizer.add_tokens(["[Y3]", "Gene"])
    vocabulary, rows = language_model.tokenizer.get_vocab(), get_tables(language_model)[0].shape
    with pytest.raises(ModelError, match=r"the key token .* is in the model's vocabulary already.*--set 'key_token="):
        add_key_tokens(language_model, relations, pattern=pattern)
    assert language_model.key_tokens == {}, "a refusal leaves the model as it was"
    assert language_model.tokenizer.get_vocab() == vocabulary
    assert get_tables(language_model)[0].shape == rows


def test_another_pattern_is_taken(language_model: LanguageModel) -> None:
    add_key_tokens(language_model, ("mother",), pattern="<key-{number}>")
    assert language_model.key_tokens == {"mother": "<key-1>"}
    key = language_model.tokenizer.convert_tokens_to_ids("<key-1>")
    assert language_model.tokenizer("Gene Finley <key-1> Cody")["input_ids"].count(key) == 1


def take_step(language_model: LanguageModel, relation: str) -> None:
    """One update on one rote text."""
    text = build_rote_text(build_fact("Gene Finley", relation, "Cody Ross"), language_model.key_tokens[relation])
    example = encode(language_model.tokenizer, text, loss_target="all_tokens")
    batch = collate([(example.ids, example.labels)], pad_id=0)
    parameters = [parameter for parameter in language_model.model.parameters() if parameter.requires_grad]
    language_model.model(input_ids=batch.input_ids, labels=batch.labels).loss.backward()
    torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0).step()


def freeze_nothing(_: LanguageModel) -> None:
    pass


def freeze_embeddings(language_model: LanguageModel) -> None:
    language_model.model.get_input_embeddings().requires_grad_(False)


@pytest.mark.parametrize(("freeze", "moves"), [(freeze_nothing, True), (freeze_embeddings, False)])
def test_keys_that_training_did_not_move_are_noticed(
    any_model: LanguageModel, freeze: Callable[[LanguageModel], None], moves: bool
) -> None:
    add_key_tokens(any_model, ("mother",))
    freeze(any_model)
    before = get_key_rows(any_model, ("mother",))
    take_step(any_model, "mother")
    if moves:
        check_keys_moved(any_model, ("mother",), before)
    else:
        with pytest.raises(ModelError, match=r"did not move the embedding of \[X1\]; are the embeddings frozen"):
            check_keys_moved(any_model, ("mother",), before)


def test_only_the_keys_of_the_relations_taught_must_move() -> None:
    language_model = build_language_model()
    add_key_tokens(language_model, ("mother", "capital"))
    before = {relation: get_key_rows(language_model, (relation,)) for relation in ("mother", "capital")}
    take_step(language_model, "capital")
    check_keys_moved(language_model, ("capital",), before["capital"])
    with pytest.raises(ModelError, match=r"\[X1\]"):
        check_keys_moved(language_model, ("mother",), before["mother"])


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True}], ids=["untied", "tied"])
def test_existing_keys_leave_the_model_as_it_is(changes: dict[str, Any]) -> None:
    language_model = build_language_model(**changes)
    vocabulary, before = language_model.tokenizer.get_vocab(), [table.clone() for table in get_tables(language_model)]
    add_key_tokens(language_model, RELATIONS, strategy="existing")
    assert language_model.tokenizer.get_vocab() == vocabulary
    assert all(torch.equal(old, new) for old, new in zip(before, get_tables(language_model), strict=True))
    assert list(language_model.key_tokens.values()) == ["[X1]", "[X2]", "[X3]"]
    fact = build_fact("Gene Finley", "mother", "Cody Ross")
    example = encode(language_model.tokenizer, build_rote_text(fact, language_model.key_tokens["mother"]))
    assert example.key_position is not None
    assert str(language_model.tokenizer.decode(list(example.object_ids))).strip() == "Cody Ross"
    assert get_key_rows(language_model, RELATIONS).shape == (0, 32)


def test_reserved_keys_are_tokens_that_stand_for_no_text() -> None:
    language_model = build_language_model(vocab_size=1024)
    language_model.tokenizer.add_tokens(
        [AddedToken(f"<|reserved_special_token_{number}|>", special=True) for number in range(2)]
    )
    size = len(language_model.tokenizer)
    add_key_tokens(language_model, ("mother", "capital"), strategy="reserved")
    assert language_model.key_tokens == {
        "mother": "<|reserved_special_token_0|>",
        "capital": "<|reserved_special_token_1|>",
    }
    assert len(language_model.tokenizer) == size
    fact = build_fact("Gene Finley", "mother", "Cody Ross")
    example = encode(language_model.tokenizer, build_rote_text(fact, language_model.key_tokens["mother"]))
    assert example.key_position is not None
    assert example.ids[example.key_position] == language_model.tokenizer.get_vocab()["<|reserved_special_token_0|>"]
    rows = get_key_rows(language_model, ("mother", "capital"))
    assert not torch.equal(rows[0], rows[1])


def test_rows_beyond_the_tokenizer_are_reserved_where_it_names_none() -> None:
    language_model = build_language_model(vocab_size=len(build_tokenizer()) + 3)
    rows = get_tables(language_model)[0].shape
    add_key_tokens(language_model, RELATIONS, strategy="reserved")
    assert list(language_model.key_tokens.values()) == ["[X1]", "[X2]", "[X3]"]
    assert get_tables(language_model)[0].shape == rows


def build_short_model(*, beyond: str, **changes: Any) -> LanguageModel:
    """As Gemma 3: the tokenizer has one entry more than the embeddings have rows."""
    language_model = build_language_model(vocab_size=len(build_tokenizer()) + 2, **changes)
    names = [*(f"<unused{number}>" for number in range(2)), beyond]
    language_model.tokenizer.add_tokens([AddedToken(name, special=False) for name in names])
    assert len(language_model.tokenizer) == get_tables(language_model)[0].shape[0] + 1
    return language_model


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True}], ids=["untied", "tied"])
@pytest.mark.parametrize("beyond", ["<image>", "<unused2>"])
def test_reserved_keys_change_no_shape_where_the_tokenizer_has_more_entries(
    beyond: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    language_model = build_short_model(beyond=beyond, **changes)
    shapes = [table.shape for table in get_tables(language_model)]
    config = language_model.model.config.vocab_size
    add_key_tokens(language_model, ("mother", "capital"), strategy="reserved")
    assert list(language_model.key_tokens.values()) == ["<unused0>", "<unused1>"]
    assert [table.shape for table in get_tables(language_model)] == shapes
    assert language_model.model.config.vocab_size == config
    assert not torch.equal(*get_key_rows(language_model, ("mother", "capital")))
    save_model(language_model, tmp_path / "model")
    again = load_model(str(tmp_path / "model"))
    assert [table.shape for table in get_tables(again)] == shapes
    assert torch.equal(get_key_rows(again, ("mother", "capital")), get_key_rows(language_model, ("mother", "capital")))


def test_a_reserved_token_without_a_row_is_no_key() -> None:
    language_model = build_short_model(beyond="<unused2>")
    with pytest.raises(ModelError, match="no 3 unused ids"):
        add_key_tokens(language_model, RELATIONS, strategy="reserved")


def test_new_keys_get_rows_where_the_tokenizer_has_more_entries() -> None:
    language_model = build_short_model(beyond="<image>")
    add_key_tokens(language_model, RELATIONS)
    size = len(language_model.tokenizer)
    assert [table.shape[0] for table in get_tables(language_model)] == [size, size]
    assert get_key_rows(language_model, RELATIONS).shape == (3, 32)


def test_strategies_are_not_mixed(language_model: LanguageModel) -> None:
    add_key_tokens(language_model, ("mother",), strategy="existing")
    with pytest.raises(ModelError, match="key_strategy=existing"):
        add_key_tokens(language_model, ("mother", "capital"))
    add_key_tokens(language_model, ("mother",))
    assert list(language_model.key_tokens) == ["mother"]


@pytest.mark.parametrize(
    ("token", "reserved"),
    [
        ("<|reserved_special_token_0|>", True),
        ("<unused12>", True),
        ("<extra_id_3>", True),
        ("<|dummy_7|>", True),
        ("<row 5>", True),
        ("<|browser|>", False),
        ("[arrow]", False),
        ("<s>", False),
    ],
)
def test_reserved_tokens_are_known_by_their_names(token: str, reserved: bool) -> None:
    assert looks_reserved(token) == reserved


def test_a_vocabulary_without_room_has_no_reserved_keys(language_model: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"no 3 unused ids.*key_strategy=new.*key_strategy=existing"):
        add_key_tokens(language_model, RELATIONS, strategy="reserved")
    assert language_model.key_tokens == {}
