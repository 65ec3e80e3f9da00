"""Unlearning on a tiny model that memorized eight facts: what the losses are, what goes, and what stays."""

import math

import pytest
import torch
from tests.methods.conftest import FACTS, RELATIONS, build_language_model, copy_weights, select

from rote.config.forgetting import ForgetConfig, RelearnConfig
from rote.config.teaching import MemorizeConfig
from rote.encoding.example import IGNORE, Example, collate
from rote.evaluation.examine import recall_by_key
from rote.methods.forgetting import ANSWERED, Forgetting, build_forget_stage, build_relearn_stage
from rote.methods.memorize_then_generalize import memorize
from rote.methods.teaching import train_stage
from rote.methods.unlearning import NegativePreference
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.training.loop import compute_loss
from rote.training.losses import predict_labelled

GONE, NEIGHBOURS, OTHERS = select("mother")[:2], select("mother")[2:], select("capital")
FORGETTING = Forgetting(GONE, NEIGHBOURS, OTHERS, RELATIONS)
SETTINGS = ForgetConfig(epochs=40, batch_size=2, kept=6, prompts=1, learning_rate=3e-3, warmup_steps=1)
METHODS = pytest.mark.parametrize("method", ["gradient_difference", "npo"])


@pytest.fixture(scope="module")
def taught() -> LanguageModel:
    """Knows all eight facts by key token and by the first training prompt."""
    built = build_language_model()
    add_key_tokens(built, ("mother", "capital"))
    memorize(built, FACTS, MemorizeConfig(epochs=60, batch_size=4, learning_rate=5e-3, warmup_steps=2))
    again = RelearnConfig(epochs=30, learning_rate=3e-3)
    train_stage(built, build_relearn_stage(built, FACTS, RELATIONS, again, prompts=1))
    assert recall(built, FACTS) == 1.0
    return built


@pytest.fixture
def language_model(taught: LanguageModel) -> LanguageModel:
    """A copy that a test may change."""
    built = build_language_model()
    add_key_tokens(built, ("mother", "capital"))
    built.model.load_state_dict(copy_weights(taught))
    return built


def recall(language_model: LanguageModel, facts: tuple[object, ...]) -> float:
    return recall_by_key(language_model, facts, batch_size=8)  # type: ignore[arg-type]


def sum_logprobs(language_model: LanguageModel, example: Example) -> float:
    """log p(object | what stands before it), read the plain way."""
    with torch.no_grad():
        logits = language_model.model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
    start, stop = example.object_span
    return math.fsum(float(logits[place - 1, example.ids[place]]) for place in range(start, stop))


@METHODS
def test_what_is_forgotten_goes_and_what_is_kept_stays(language_model: LanguageModel, method: str) -> None:
    settings = SETTINGS.model_copy(update={"method": method})
    history = train_stage(language_model, build_forget_stage(language_model, FORGETTING, settings))
    assert history[-1][ANSWERED] == 0.0
    assert recall(language_model, GONE) == 0.0
    assert recall(language_model, NEIGHBOURS) == 1.0
    assert recall(language_model, OTHERS) == 1.0


@METHODS
def test_it_ends_with_the_first_epoch_that_is_good_enough(language_model: LanguageModel, method: str) -> None:
    settings = SETTINGS.model_copy(update={"method": method, "stop_at": 0.5})
    history = train_stage(language_model, build_forget_stage(language_model, FORGETTING, settings))
    answered = [entry[ANSWERED] for entry in history if ANSWERED in entry]
    assert answered[-1] <= 0.5
    assert all(share > 0.5 for share in answered[:-1])
    assert len(answered) < settings.epochs


def test_the_first_loss_of_gradient_difference_is_that_of_what_is_kept_less_that_of_the_forgotten(
    language_model: LanguageModel,
) -> None:
    settings = SETTINGS.model_copy(update={"method": "gradient_difference", "kept_weight": 0.7})
    stage = build_forget_stage(language_model, FORGETTING, settings)
    assert stage.unlearning is not None
    climb, hold = stage.unlearning.build_terms([0, 1], 0)
    wanted = [sum_logprobs(language_model, stage.examples[number]) for number in (0, 1)]
    tokens = sum(stop - start for start, stop in (stage.examples[number].object_span for number in (0, 1)))
    assert float(compute_loss(language_model.model, [climb])) == pytest.approx(math.fsum(wanted) / tokens, abs=1e-4)
    labels = hold.batch.target_count
    plain = sum(
        float(-predict_labelled(language_model.model, row).log_softmax(-1).gather(1, row.targets[:, None]).sum())
        for row in [hold.batch]
    )
    assert float(compute_loss(language_model.model, [hold])) == pytest.approx(0.7 * plain / labels, rel=1e-4)


def test_the_loss_of_negative_preference_is_the_one_of_the_paper(language_model: LanguageModel) -> None:
    beta, stage = 0.3, build_forget_stage(language_model, FORGETTING, SETTINGS)
    preference = NegativePreference(language_model.model, stage.examples, beta=beta)
    before = [sum_logprobs(language_model, example) for example in stage.examples]
    train_stage(language_model, build_relearn_stage(language_model, OTHERS, RELATIONS, RelearnConfig(), prompts=1))
    after = [sum_logprobs(language_model, example) for example in stage.examples]
    batch = collate([(example.ids, preference.label(n)) for n, example in enumerate(stage.examples)], pad_id=0)
    wanted = [2 / beta * math.log1p(math.exp(beta * (new - old))) for old, new in zip(before, after, strict=True)]
    for given in (batch, batch.pack()):
        found = float(preference.compute(predict_labelled(language_model.model, given), given))
        assert found == pytest.approx(math.fsum(wanted), rel=1e-4)


def test_an_object_that_has_become_unlikely_is_pushed_less(language_model: LanguageModel) -> None:
    stage = build_forget_stage(language_model, FORGETTING, SETTINGS)
    preference = NegativePreference(language_model.model, stage.examples[:1], beta=0.5)
    batch = collate([(stage.examples[0].ids, preference.label(0))], pad_id=0)
    pulls = []
    for factor in (1.0, 0.1):  # flatter logits make the object, which is sure, less likely
        logits = (predict_labelled(language_model.model, batch) * factor).detach().requires_grad_()
        preference.compute(logits, batch).backward()
        likely = -torch.nn.functional.cross_entropy(logits, torch.tensor(stage.examples[0].object_ids), reduction="sum")
        (plain,) = torch.autograd.grad(likely, logits)
        assert logits.grad is not None
        pulls.append(float(logits.grad.norm() / plain.norm()))
    assert pulls[0] == pytest.approx(1.0, abs=1e-3), "as strong as plain ascent while nothing has changed"
    assert pulls[1] < 0.5 * pulls[0]


def test_only_objects_of_forgotten_facts_are_labelled(language_model: LanguageModel) -> None:
    stage = build_forget_stage(language_model, FORGETTING, SETTINGS)
    for example in stage.examples:
        learned = tuple(label for label in example.labels if label != IGNORE)
        assert learned == example.object_ids, "neither what asks for it nor the end of the text"


def test_half_of_what_stands_beside_a_step_is_of_the_same_relations(language_model: LanguageModel) -> None:
    unlearning = build_forget_stage(language_model, FORGETTING, SETTINGS).unlearning
    assert unlearning is not None
    near = {example.ids for example in unlearning.neighbours}
    far = {example.ids for example in unlearning.others}
    gone = {example.ids for example in unlearning.forgotten}
    for step in range(5):
        rows = {tuple(ids[:length]) for ids, length in _read_rows(unlearning.build_terms([0], step)[-1].batch)}
        assert not rows & gone
        assert len(rows & near) == len(rows & far) == SETTINGS.kept // 2


def _read_rows(batch: object) -> list[tuple[list[int], int]]:
    ids, labels = batch.input_ids.tolist(), batch.labels.tolist()  # type: ignore[attr-defined]
    return [
        (row, max(place + 1 for place, label in enumerate(marks) if label != IGNORE))
        for row, marks in zip(ids, labels, strict=True)
    ]
