"""Freezing the embeddings but for the rows of the key tokens: what training changes, and what it leaves behind."""

import pytest
import torch
from tests.methods.conftest import FACTS, build_language_model

from rote.config.teaching import MemorizeConfig
from rote.methods.memorize_then_generalize import memorize
from rote.models.frozen_tables import freeze_tables, release_tables
from rote.models.key_tokens import add_key_tokens, find_key_tables, get_key_ids, get_key_rows

KEYS = ("mother", "capital")


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def language_model(request):
    built = build_language_model(tie_word_embeddings=request.param)
    add_key_tokens(built, KEYS)
    return built


def test_of_the_embeddings_training_changes_the_key_rows_alone(language_model):
    ids = get_key_ids(language_model, KEYS)
    names = {name for name, _ in language_model.model.named_parameters()}
    tables = [table.detach().clone() for table in find_key_tables(language_model)]
    layer = language_model.model.model.layers[0].mlp.up_proj.weight
    before = layer.detach().clone()
    freeze_tables(language_model)
    memorize(language_model, FACTS, MemorizeConfig(epochs=2, batch_size=4))
    rows = get_key_rows(language_model, KEYS)
    release_tables(language_model)
    assert not torch.equal(layer, before)
    first, *others = find_key_tables(language_model)
    assert torch.equal(first[ids], rows)
    assert not torch.equal(first[ids], tables[0][ids])
    ordinary = [number for number in range(len(first)) if number not in ids]
    assert torch.equal(first[ordinary], tables[0][ordinary])
    assert all(torch.equal(now, then) for now, then in zip(others, tables[1:], strict=True))
    assert {name for name, _ in language_model.model.named_parameters()} == names
    assert all(parameter.requires_grad for parameter in language_model.model.parameters())


def test_a_model_says_the_same_frozen_and_released(language_model):
    text = torch.tensor([[5, 6, *get_key_ids(language_model, KEYS), 7]])

    def read():
        with torch.no_grad():
            return language_model.model(text).logits

    plain = read()
    freeze_tables(language_model)
    assert torch.equal(read(), plain)
    memorize(language_model, FACTS, MemorizeConfig(epochs=1, batch_size=4))
    taught = read()
    release_tables(language_model)
    assert torch.equal(read(), taught)
    assert not torch.equal(taught, plain)


def test_the_gradient_of_a_key_row_is_that_of_the_whole_table(language_model):
    """For the input side; a tied table has the gradient of its output side as well, which is left out."""
    ids = get_key_ids(language_model, KEYS)
    text = torch.tensor([[5, ids[0], 6, ids[1], ids[1], 7]])
    embedding = language_model.model.get_input_embeddings()
    looked_up = []
    handle = embedding.register_forward_hook(lambda _, __, output: looked_up.append(output))
    loss = language_model.model(text).logits.square().sum()
    (wanted,) = torch.autograd.grad(loss, looked_up)
    handle.remove()
    freeze_tables(language_model)
    language_model.model(text).logits.square().sum().backward()
    places = [[1], [3, 4]]
    for row, at in enumerate(places):
        assert torch.allclose(embedding.key_rows.grad[row], wanted[0, at].sum(dim=0), atol=1e-4)
