"""What holds a model to what it was: the divergence from it, from states that were read once."""

import copy
from typing import Any

import pytest
import torch
from tests.methods.conftest import build_language_model
from tests.training.conftest import VOCABULARY, build_model, build_rows, build_settings, copy_weights, have_same_weights
from tests.training.test_packing import KINDS, build
from transformers import Gemma2Config, Gemma2ForCausalLM, PreTrainedModel

from rote.encoding.example import IGNORE, Batch, collate
from rote.models.frozen_tables import freeze_tables
from rote.models.key_tokens import add_key_tokens
from rote.retention.teacher import Teacher, _Divergence
from rote.training.loop import LoopPlan, Term, run_loop
from rote.training.losses import predict_labelled

pytestmark = pytest.mark.usefixtures("exact")
TEXTS = [ids for ids, _ in build_rows(5, lengths=(6, 9, 5, 8, 7, 10))]


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float32 throughout: in bfloat16 two ways of computing agree to two digits only."""
    monkeypatch.setattr("rote.models.language_model.has_fast_bf16", lambda _: False)


def build_batch(teacher: Teacher, chosen: tuple[int, ...] = (0, 3, 5)) -> Batch:
    teacher.read()
    return collate([(TEXTS[index], teacher.label(index)) for index in chosen], pad_id=0)


def diverge(was: PreTrainedModel, model: PreTrainedModel, chosen: tuple[int, ...] = (0, 3, 5)) -> float:
    teacher = Teacher(was, TEXTS)
    return hold(teacher, model, build_batch(teacher, chosen))


def hold(teacher: Teacher, model: PreTrainedModel, batch: Batch) -> float:
    return float(teacher.diverge(predict_labelled(model, batch), batch).detach())


def compute_plainly(was: PreTrainedModel, model: PreTrainedModel, chosen: tuple[int, ...] = (0, 3, 5)) -> float:
    """KL divergence of whole distributions, text by text."""
    total = 0.0
    with torch.no_grad():
        for index in chosen:
            ids = torch.tensor([TEXTS[index]])
            wanted, given = (item(input_ids=ids).logits[0, :-1].log_softmax(-1) for item in (was, model))
            total += float((wanted.exp() * (wanted - given)).sum())
    return total


def build_softcapped() -> PreTrainedModel:
    """Its logits are not what its head makes of a state."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {**KINDS["Gemma"], "final_logit_softcapping": 0.5}
    return Gemma2ForCausalLM(Gemma2Config(vocab_size=VOCABULARY, initializer_range=0.2, **shape))


def test_a_model_does_not_differ_from_itself() -> None:
    assert diverge(build_model(), build_model()) == pytest.approx(0, abs=1e-5)
    assert diverge(build_model(), build_model(seed=1)) > 1e-2


@pytest.mark.parametrize("kind", [*KINDS, "softcapped"])
def test_it_is_the_divergence_from_the_untrained_model(kind: str) -> None:
    was = build_softcapped() if kind == "softcapped" else build(kind, KINDS[kind])
    model = copy.deepcopy(was).train(False)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.3)
    assert diverge(was, model) == pytest.approx(compute_plainly(was.train(False), model), rel=1e-3)


def test_the_whole_model_is_kept_only_where_its_head_is_not_enough() -> None:
    for model, is_kept in ((build_model(), False), (build_softcapped(), True)):
        teacher = Teacher(model, TEXTS)
        build_batch(teacher)
        assert hasattr(teacher, "_model") is is_kept


def test_packed_texts_are_held_as_they_are_in_rows_of_their_own() -> None:
    teacher, model = Teacher(build_model(), TEXTS), build_model(seed=1)
    batch = build_batch(teacher)
    apart, packed = (hold(teacher, model, item) for item in (batch, batch.pack()))
    assert packed == pytest.approx(apart, rel=1e-4)


@pytest.mark.parametrize("is_added", [True, False])
def test_a_frozen_head_is_shared_and_says_what_the_untrained_model_said(is_added: bool) -> None:
    """Though the row of the key token is trained, be it added or one that the model had."""
    language_model = build_language_model(tie_word_embeddings=True)
    model: Any = language_model.model
    was, teacher = copy.deepcopy(model).eval(), Teacher(model, TEXTS)
    if is_added:
        add_key_tokens(language_model, ("mother",))
    else:
        language_model.key_tokens["mother"] = str(language_model.tokenizer.convert_ids_to_tokens(TEXTS[0][2]))
    freeze_tables(language_model)
    batch = build_batch(teacher)
    with torch.no_grad():
        model.get_input_embeddings().key_rows += 1.0
        model.model.layers[0].mlp.down_proj.weight.mul_(20.0)
        found, vocabulary = hold(teacher, model.eval(), batch), was.config.vocab_size
        given = [model(torch.tensor([TEXTS[i]])).logits[0, :-1, :vocabulary].log_softmax(-1) for i in (0, 3, 5)]
        wanted = [was(torch.tensor([TEXTS[i]])).logits[0, :-1].log_softmax(-1) for i in (0, 3, 5)]
    expected = sum(float((w.exp() * (w - g)).sum()) for w, g in zip(wanted, given, strict=True))
    assert found == pytest.approx(expected, rel=1e-3)
    assert found > 1e-2
    owned = {id(weight) for weight in model.parameters()}
    head = teacher._head
    assert head is not None
    assert all(id(weight) in owned for weight in head.module.parameters())


def test_the_gradient_is_that_of_the_divergence_written_out() -> None:
    torch.manual_seed(0)
    logits, wanted = torch.randn(21, 9, requires_grad=True), torch.randn(21, 7)
    plain = torch.nn.functional.kl_div(
        logits[:, :7].log_softmax(-1), wanted.log_softmax(-1), log_target=True, reduction="sum"
    )
    for scale in (1.0, 0.3):
        (expected,) = torch.autograd.grad(plain * scale, logits, retain_graph=True)
        found = _Divergence.apply(logits, wanted)
        assert float(found.detach()) == pytest.approx(float(plain.detach()), rel=1e-5)
        assert torch.allclose(torch.autograd.grad(found * scale, logits)[0], expected, atol=1e-6)


def test_added_rows_are_left_out_of_both_sides() -> None:
    was, model = build_model(), build_model()
    model.resize_token_embeddings(VOCABULARY + 3, mean_resizing=False)
    for size in (0.0, 100.0):  # however likely the new tokens are
        model.lm_head.weight.data[VOCABULARY:] = size
        assert diverge(was, model) == pytest.approx(0, abs=1e-5)
    model.lm_head.weight.data[3] += 0.5
    assert diverge(was, model) > 1e-4


def test_only_labelled_tokens_are_held() -> None:
    teacher, model = Teacher(build_model(), TEXTS), build_model(seed=1)
    batch = build_batch(teacher)
    nothing = Batch(batch.input_ids, torch.full_like(batch.labels, IGNORE))
    assert hold(teacher, model, nothing) == 0
    fewer = batch.labels.clone()
    fewer[2:] = IGNORE
    some = hold(teacher, model, Batch(batch.input_ids, fewer))
    assert 0 < some < hold(teacher, model, batch)


def test_the_trained_model_comes_back_to_what_it_was_and_that_stays_as_it_is() -> None:
    was, model = build_model(), build_model(seed=1)
    before = copy_weights(was)
    teacher = Teacher(was, TEXTS)
    batch = build_batch(teacher)
    terms = [Term(batch, teacher.diverge, 1 / batch.target_count)]
    history = run_loop(model, LoopPlan(30, lambda _: terms), build_settings()).history
    assert have_same_weights(was, before)
    assert all(weight.requires_grad for weight in was.parameters())
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
