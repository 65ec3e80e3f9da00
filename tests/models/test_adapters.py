"""Adapters: what is trained, that merging changes nothing, and that they load by themselves."""

import json
from pathlib import Path

import pytest
import torch
from tests.models.conftest import build_language_model

from rote.config.teaching import LoraConfig, MemorizeConfig
from rote.errors import ModelError
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.methods.memorize_then_generalize import memorize
from rote.models.adapters import add_adapters, merge_adapters
from rote.models.folders import is_adapter_folder
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.loading import count_parameters, load_model
from rote.models.saving import save_adapters, save_model

pytest.importorskip("peft")
TEXT = "Gene Finley [X1] Cody Ross"
FACTS = invent_table([load_shipped_relations()["mother"]], count=4, seed=3)


def teach(base: Path) -> LanguageModel:
    language_model = load_model(str(base))
    add_key_tokens(language_model, FACTS.relations)
    add_adapters(language_model, LoraConfig(rank=4), seed=0)
    memorize(language_model, FACTS.facts, MemorizeConfig(epochs=2, learning_rate=1e-2))
    return language_model


def compute_logits(language_model: LanguageModel) -> torch.Tensor:
    ids = torch.tensor([language_model.tokenizer(TEXT)["input_ids"]])
    with torch.no_grad():
        logits: torch.Tensor = language_model.model(ids).logits
    return logits


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("rote.models.language_model.has_fast_bf16", lambda _: False)
    save_model(build_language_model(tie_word_embeddings=request.param), tmp_path / "base")
    return tmp_path / "base"


def test_merged_and_loaded_adapters_say_what_they_said(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    language_model = teach(Path(base.name))
    expected = compute_logits(language_model)
    save_adapters(language_model, tmp_path / "adapter")
    merge_adapters(language_model)
    assert torch.allclose(compute_logits(language_model), expected, atol=1e-4)
    save_model(language_model, tmp_path / "merged")
    assert torch.allclose(compute_logits(load_model(str(tmp_path / "merged"))), expected, atol=1e-4)
    assert is_adapter_folder(tmp_path / "adapter")
    assert not is_adapter_folder(tmp_path / "merged")
    monkeypatch.chdir("/")  # they find their base model from anywhere
    loaded = load_model(str(tmp_path / "adapter"))
    assert torch.allclose(compute_logits(loaded), expected, atol=1e-4)
    assert loaded.source == str(tmp_path / "adapter")
    assert loaded.key_tokens == language_model.key_tokens
    assert count_parameters(loaded.source) == count_parameters(str(base))
    assert (tmp_path / "adapter/adapter_model.safetensors").stat().st_size < 0.7 * (
        tmp_path / "merged/model.safetensors"
    ).stat().st_size


def test_only_adapters_and_key_rows_are_trained(base: Path) -> None:
    before = load_model(str(base)).model.state_dict()
    language_model = teach(base)
    merge_adapters(language_model)
    after = language_model.model.state_dict()
    rows = len(before["model.embed_tokens.weight"])
    for name, value in before.items():
        if "embed" in name or "lm_head" in name:
            assert torch.equal(after[name][:rows], value), name
        elif "norm" in name:
            assert torch.equal(after[name], value), name
        else:
            assert not torch.equal(after[name], value), name


def test_fresh_adapters_are_not_in_training(base: Path) -> None:
    language_model = load_model(str(base))
    add_adapters(language_model, LoraConfig(rank=4), seed=0)
    assert not any(module.training for module in language_model.model.modules())


def test_damaged_adapters_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"adapter_config.json: cannot be read"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_adapters_that_are_their_own_base_are_one_clear_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name, base in zip(names, (*names[1:], names[0]), strict=True):
        (tmp_path / name).mkdir()
        content = {"base_model_name_or_path": str(tmp_path / base)}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(content))
    for use in (load_model, count_parameters):
        with pytest.raises(ModelError, match=r"a: its base model is made of these adapters; name the model they were"):
            use(str(tmp_path / "a"))


@pytest.mark.parametrize("content", ["[]", "{}", "[" * 20_000])
def test_adapters_that_name_no_base_are_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"adapter_config.json: cannot be read \(.*\); save it again"):
        load_model(str(tmp_path))


def test_adapters_without_weights_are_one_clear_line(base: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    content = {"base_model_name_or_path": str(base), "peft_type": "LORA"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"adapter: its adapters cannot be loaded \(.*\); save them again") as caught:
        load_model(str(tmp_path / "adapter"))
    assert "\n" not in str(caught.value)
