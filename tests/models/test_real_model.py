"""A real pretrained model, at the settings that fit its size; skipped where it was not fetched (`make fetch`)."""

from typing import Any

import pytest

import rote
from rote.config.loading import load_config
from rote.facts.relation import load_shipped_relations
from rote.models.fetching import is_fetched

NAME = "smollm2-135m"

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not is_fetched(NAME), reason=f"{NAME} is not on this machine: rote models fetch {NAME}"),
]


def test_a_real_model_memorizes_twenty_facts_and_keeps_its_other_words() -> None:
    model = rote.load_model(NAME)
    network: Any = model.model
    table = rote.invent_table([load_shipped_relations()["birthplace"]], count=20, seed=5)
    changes = ["retain.texts=0", "examine.known_facts=0", "examine.languages=[en]", "examine.choices=0"]
    changes += ["examine.unseen_facts=0", "examine.facts=4", "generalize.facts=10", "knowledge.samples=0"]
    changes += ["memorize.noise=1", "memorize.batch_size=4", "memorize.epochs=25", "memorize.stop_at_recall=0.95"]
    changes += ["memorize.min_steps=0", "generalize.min_steps=0"]  # a real run takes longer than a test may
    config = load_config(rote.Config, None, changes)
    rows = network.get_input_embeddings().weight[:1000].detach().clone()

    summary = rote.teach(model, table, config).summary
    found = {
        (row["moment"], row["prompt_set"]): row["mean"]
        for row in summary
        if row["measure"] == "generation_accuracy" and row["fact_set"] == "held_out"
    }
    assert found["before", "training"] == 0.0, "nobody can know invented facts"
    assert found["memorize", "key"] == 1.0
    assert found["generalize", "key"] >= 0.5
    after = network.get_input_embeddings().weight[:1000]
    assert (after == rows).all(), "the embeddings of other words are not trained at this size"
