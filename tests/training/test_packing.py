"""Several sequences in one row: the same figures as in rows of their own, on every model that can be read so."""

from typing import Any

import pytest
import torch
import transformers
from tests.training.conftest import VOCABULARY, build_batch, build_rows, build_settings
from transformers import PreTrainedModel

from rote.encoding.example import IGNORE, Batch, collate
from rote.training.loop import LoopPlan, Term, compute_loss, run_loop
from rote.training.losses import can_pack, next_token_loss, predict_labelled

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
GROUPED = {**SHAPE, "num_key_value_heads": 1}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)}
KINDS: dict[str, dict[str, Any]] = {
    "Llama": GROUPED,
    "Qwen2": GROUPED,
    "Qwen3": {**GROUPED, "head_dim": 16},
    "Phi3": {**GROUPED, "pad_token_id": None},
    "GPT2": GPT2,
    "GPTNeoX": SHAPE,
    "Gemma": {**GROUPED, "head_dim": 16},
    "Gemma3Text": {**GROUPED, "head_dim": 16, "sliding_window": 4},
    "Mistral": {**GROUPED, "sliding_window": 4},
}


def build(kind: str, shape: dict[str, Any]) -> PreTrainedModel:
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(vocab_size=VOCABULARY, initializer_range=0.2, **shape)
    model: PreTrainedModel = transformers.AutoModelForCausalLM.from_config(config)
    return model


def train(kind: str, *, pack: bool) -> dict[str, torch.Tensor]:
    def build_terms(step: int) -> list[Term]:
        return [
            Term(batch, next_token_loss, 1 / batch.target_count) for batch in (build_batch(step), build_batch(-step))
        ]

    model = build(kind, KINDS[kind])
    run_loop(model, LoopPlan(100, build_terms, pack=pack, join=pack), build_settings(learning_rate=2e-4))
    return model.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences_do_not_see_each_other(kind: str) -> None:
    model = build(kind, KINDS[kind]).eval()
    assert can_pack(model)
    batch = collate(build_rows(1, lengths=(3, 12, 7, 5, 1)), pad_id=0)
    with torch.no_grad():
        apart, packed = predict_labelled(model, batch), predict_labelled(model, batch.pack())
    assert torch.equal(batch.targets, batch.pack().targets)
    assert torch.allclose(apart, packed, atol=1e-5)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("kind", KINDS)
def test_training_packed_ends_with_the_same_weights(kind: str) -> None:
    rows, packed = train(kind, pack=False), train(kind, pack=True)
    start = build(kind, KINDS[kind]).state_dict()
    # A bias of keys changes no attention: its gradient is rounding alone, which Adam makes as large as any other.
    names = [name for name in rows if not ("att" in name and name.endswith("bias"))]
    assert max(float((rows[name] - start[name]).abs().max()) for name in names) > 1e-3, "it learned"
    assert max(float((rows[name] - packed[name]).abs().max()) for name in names) < 1e-6


def test_a_model_that_carries_a_state_along_is_not_packed() -> None:
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
    assert not can_pack(build("Mamba", shape))


def test_what_no_label_needs_is_not_read() -> None:
    rows = [([1, 2, 3, 4], [IGNORE, IGNORE, 3, IGNORE]), ([5, 6], [IGNORE, IGNORE]), ([7, 8], [7, 8])]
    packed = collate(rows, pad_id=0).pack()
    assert packed.input_ids.tolist() == [[1, 2, 7, 0]]
    assert packed.labels.tolist() == [[IGNORE, IGNORE, 3, 8]]
    assert packed.position_ids is not None
    assert packed.position_ids.tolist() == [[0, 1, 0, 0]]


def test_a_batch_without_labels_costs_nothing() -> None:
    batch = collate([([1, 2], [IGNORE, IGNORE])], pad_id=0).pack()
    assert float(compute_loss(build("Llama", GROUPED), [Term(batch, next_token_loss, 1.0)])) == 0


def test_long_batches_keep_their_rows() -> None:
    seen: list[Batch] = []

    def look(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        seen.append(batch)
        return next_token_loss(logits, batch)

    short, long = build_batch(0), collate(build_rows(0, lengths=(30,) * 40), pad_id=0)
    terms = [Term(batch, look, 1.0) for batch in (short, long)]
    run_loop(build("Llama", GROUPED), LoopPlan(1, lambda _: terms, pack=True), build_settings())
    assert [len(batch.input_ids) for batch in seen] == [1, 40]


@pytest.mark.parametrize(("join", "reads"), [(True, [1, 1]), (False, [1, 1, 1])])
def test_terms_that_are_short_are_read_in_one_row(join: bool, reads: list[int]) -> None:
    """Two of 33 tokens each in one, and one that leaves no room beside it alone."""
    long = collate(build_rows(0, lengths=(30,) * 16), pad_id=0)
    terms = [Term(batch, next_token_loss, 1.0) for batch in (build_batch(0), build_batch(1), long)]
    model, seen = build("Llama", GROUPED), []
    model.get_input_embeddings().register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    run_loop(model, LoopPlan(1, lambda _: terms, pack=True, join=join), build_settings())
    assert seen == reads


def test_attention_is_afterwards_computed_as_before() -> None:
    model = build("Llama", GROUPED)
    assert model.config._attn_implementation == "sdpa"
    within = []
    model.register_forward_pre_hook(lambda module, _: within.append(module.config._attn_implementation))
    run_loop(model, LoopPlan(1, lambda _: [Term(build_batch(0), next_token_loss, 1.0)], pack=True), build_settings())
    assert within == ["eager"]
    assert model.config._attn_implementation == "sdpa"


def test_long_rows_keep_fused_attention() -> None:
    """Its memory does not grow with the square of a row."""
    model, within = build("Llama", {**GROUPED, "max_position_embeddings": 1024}), []
    model.register_forward_pre_hook(lambda module, _: within.append(module.config._attn_implementation))
    batch = collate(build_rows(0, lengths=(600, 600)), pad_id=0)
    run_loop(model, LoopPlan(1, lambda _: [Term(batch, next_token_loss, 1.0)], pack=True), build_settings())
    assert within == ["sdpa"]
