"""`rote ask` as a person calls it, beside another model."""

import re
from pathlib import Path

import torch
from tests.cli.conftest import call_rote

from rote.models.loading import load_model
from rote.models.saving import save_model


def test_a_model_and_its_base_each_have_their_own_likeliest_answers(model_folder: Path, tmp_path: Path) -> None:
    other = load_model(str(model_folder))
    torch.manual_seed(1)
    torch.nn.init.normal_(other.model.get_output_embeddings().weight, std=0.5)
    save_model(other, tmp_path / "other")
    outcome = call_rote("ask", tmp_path / "other", "Gene Finley's mother is", "--base", model_folder, "--top", "2")
    assert outcome.code == 0, outcome.err
    first, second = outcome.out.split(f"{model_folder}: ")
    listed = [re.findall(r"^ +([\d.]+)%  (.*)$", part, re.MULTILINE) for part in (first, second)]
    alone = call_rote("ask", model_folder, "Gene Finley's mother is", "--top", "2")
    assert listed[1] == re.findall(r"^ +([\d.]+)%  (.*)$", alone.out, re.MULTILINE), "the other model adds nothing"
    assert {text for _, text in listed[0]} != {text for _, text in listed[1]}
    for rows in listed:
        assert 0 < len(rows) <= 2
        chances = [float(chance) for chance, _ in rows]
        assert chances == sorted(chances, reverse=True)
