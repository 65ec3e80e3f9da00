"""Which rows there are, what they hold, and when they are refused."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from tests.models.conftest import build_language_model

from rote.analysis.hidden_states import read_hidden_states
from rote.analysis.representations import (
    MEAN_LAYER,
    RepresentationRow,
    measure_representations,
    project_representations,
    summarise_layers,
)
from rote.analysis.similarity import compute_delta_cossim, compute_pairwise_cossim
from rote.encoding.example import encode
from rote.errors import ModelError, TemplateError
from rote.facts.fact import build_fact
from rote.facts.relation import PromptTemplate, Relation, load_shipped_relations
from rote.facts.text import build_prompt_text, build_rote_text
from rote.figures import Figure
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel

RELATIONS = load_shipped_relations()
FACTS = [
    *(build_fact(name, "mother", "Cody Ross") for name in ("Gene Finley", "Zoë O'Neil", "Mei Lin")),
    *(build_fact(name, "capital", "Port Varda") for name in ("Ida Land", "Bell Coast", "Ross Isle")),
]
GROUPS = [fact.relation for fact in FACTS]


@pytest.fixture
def taught() -> LanguageModel:
    built = build_language_model()
    add_key_tokens(built, ("mother", "capital"))
    return built


def find(rows: list[RepresentationRow], measure: str, prompt_set: str, layer: int) -> RepresentationRow:
    (row,) = (row for row in rows if (row.measure, row.prompt_set, row.layer) == (measure, prompt_set, layer))
    return row


def test_every_measure_set_and_layer_has_a_row(taught: LanguageModel) -> None:
    rows = measure_representations(taught, FACTS, RELATIONS, seed=0)
    sets = [(row.measure, row.prompt_set) for row in rows if row.layer == 0]

    assert sorted(sets) == [
        *(("delta_cossim", name) for name in ("control", "held_out", "key", "training")),
        *(("key_similarity", name) for name in ("control", "held_out", "training")),
    ]
    assert len(rows) == len(sets) * 3
    similarities = [row.figure for row in rows if row.measure == "key_similarity"]
    assert all(-1 <= figure.low <= figure.value <= figure.high <= 1 for figure in similarities)
    assert all(row.figure.low <= row.figure.value <= row.figure.high and row.figure.n == len(FACTS) for row in rows)
    assert json.loads(json.dumps([asdict(row) for row in rows]))[0]["prompt_set"] == "key"
    assert rows == measure_representations(taught, FACTS, RELATIONS, seed=0)


def test_values_are_those_of_the_states(taught: LanguageModel) -> None:
    rows = measure_representations(taught, FACTS, RELATIONS, seed=0)
    texts = [build_rote_text(fact, taught.key_tokens[fact.relation]) for fact in FACTS]
    prompts = [build_prompt_text(fact, RELATIONS[fact.relation].select_training(1)[0]) for fact in FACTS]
    examples = [encode(taught.tokenizer, text) for text in texts]
    assert all(example.key_position == len(example.prompt_ids) - 1 for example in examples)
    keys = read_hidden_states(taught.model, [example.prompt_ids for example in examples])
    ends = read_hidden_states(taught.model, [encode(taught.tokenizer, text).prompt_ids for text in prompts])

    for layer in range(3):
        delta, similarity = compute_delta_cossim(keys[:, layer], GROUPS), compute_pairwise_cossim(keys, ends)
        assert find(rows, "delta_cossim", "key", layer).figure.value == pytest.approx(delta)
        assert find(rows, "key_similarity", "training", layer).figure.value == pytest.approx(
            similarity[:, layer].mean()
        )


def test_relations_whose_keys_move_apart_are_separated_more(taught: LanguageModel) -> None:
    table = taught.model.get_input_embeddings().get_parameter("weight")
    ids = taught.tokenizer.convert_tokens_to_ids(["[X1]", "[X2]"])
    embedded, above = [], []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            table[ids] = torch.stack([torch.ones(32), sign * torch.ones(32)])
        rows = measure_representations(taught, FACTS, RELATIONS, seed=0)
        embedded.append(find(rows, "delta_cossim", "key", 0).figure.value)
        above.append(find(summarise_layers(rows), "delta_cossim", "key", MEAN_LAYER).figure.value)

    assert embedded == pytest.approx([0, 2], abs=1e-6)  # all the same, then opposite
    assert above[1] > above[0]


def test_several_prompts_are_averaged(taught: LanguageModel) -> None:
    one = measure_representations(taught, FACTS, RELATIONS, seed=0)
    two = measure_representations(taught, FACTS, RELATIONS, seed=0, prompts_per_set=2)
    second = [build_prompt_text(fact, RELATIONS[fact.relation].select_training(2)[1]) for fact in FACTS]
    states = read_hidden_states(taught.model, [encode(taught.tokenizer, text).prompt_ids for text in second])
    expected = (find(one, "delta_cossim", "training", 2).figure.value + compute_delta_cossim(states[:, 2], GROUPS)) / 2

    assert find(two, "delta_cossim", "training", 2).figure.value == pytest.approx(expected)
    assert find(two, "delta_cossim", "key", 2) == find(one, "delta_cossim", "key", 2)


def test_a_base_model_has_no_rows_of_the_key() -> None:
    rows = measure_representations(build_language_model(), FACTS, RELATIONS, seed=0)

    assert {(row.measure, row.prompt_set) for row in rows} == {
        ("delta_cossim", name) for name in ("training", "held_out", "control")
    }


def test_one_relation_alone_has_similarity_but_no_separation(taught: LanguageModel) -> None:
    rows = measure_representations(taught, FACTS[:3], RELATIONS, seed=0)

    assert {row.measure for row in rows} == {"key_similarity"}


def test_a_set_without_prompts_is_left_out(taught: LanguageModel) -> None:
    own = {**RELATIONS, "mother": Relation("mother", "", "person", "woman", RELATIONS["mother"].select_training(1))}
    rows = measure_representations(taught, FACTS, own, seed=0, prompts_per_set=3)

    assert {row.prompt_set for row in rows} == {"key", "training"}


def test_a_relation_without_a_key_token_is_refused() -> None:
    built = build_language_model()
    add_key_tokens(built, ("mother",))

    with pytest.raises(ModelError, match="no key token for capital"):
        measure_representations(built, FACTS, RELATIONS, seed=0)


def test_a_relation_without_prompts_and_a_table_without_facts_are_refused(taught: LanguageModel) -> None:
    with pytest.raises(TemplateError, match="'capital'"):
        measure_representations(taught, FACTS, {"mother": RELATIONS["mother"]}, seed=0)
    with pytest.raises(ValueError, match="at least one fact"):
        measure_representations(taught, [], RELATIONS, seed=0)


def test_the_headline_is_the_mean_over_the_layers_above_the_embeddings() -> None:
    rows = [
        RepresentationRow("delta_cossim", "key", layer, Figure(value, value - 0.1, value + 0.1, 6))
        for layer, value in enumerate((0.9, 0.2, 0.4))
    ]
    (row,) = summarise_layers(rows)

    assert (row.layer, row.figure.n) == (MEAN_LAYER, 6)
    assert (row.figure.value, row.figure.low, row.figure.high) == pytest.approx((0.3, 0.2, 0.4))


def test_every_fact_and_set_has_a_point(taught: LanguageModel) -> None:
    points = project_representations(taught, FACTS, RELATIONS, layer=2, seed=0)

    assert [point.kind for point in points[::6]] == ["key", "training", "held_out", "control"]
    assert [point.relation for point in points[:6]] == GROUPS
    assert np.mean([point.x for point in points]) == pytest.approx(0, abs=1e-5)
    with pytest.raises(IndexError):
        project_representations(taught, FACTS, RELATIONS, layer=3, seed=0)


def test_held_out_prompts_are_drawn_by_seed(taught: LanguageModel) -> None:
    texts = [PromptTemplate("mother", f"{{subject}} {word}", "held_out", "en") for word in ("is", "of", "the", "who")]
    own = Relation("mother", "", "person", "woman", (*RELATIONS["mother"].select_training(1), *texts))
    drawn = [
        find(measure_representations(taught, FACTS[:3], {"mother": own}, seed=seed), "key_similarity", "held_out", 2)
        for seed in (0, 0, 1, 2, 3)
    ]

    assert drawn[0] == drawn[1]
    assert len({row.figure.value for row in drawn}) > 1
