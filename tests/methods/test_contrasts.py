"""What generalize shows beside its prompts: other questions with the untrained model's answers, and rote lines."""

import pytest
import torch
from tests.methods.conftest import FACTS, build_language_model
from tests.methods.test_methods import build_task, plan

from rote.encoding.example import IGNORE
from rote.facts.relation import PromptSet, PromptTemplate
from rote.facts.wordings import Wordings
from rote.methods.contrasts import build_contrasts

METHOD = "memorize_then_generalize"


def test_a_contrast_asks_about_a_subject_and_learns_what_the_model_says_anyway() -> None:
    language_model = build_language_model()
    tokenizer, model = language_model.tokenizer, language_model.model
    contrasts = build_contrasts(language_model, FACTS, Wordings([]), count=20, seed=0)
    assert len({example.ids for example in contrasts}) == 20
    for example in contrasts:
        prompt = str(tokenizer.decode(list(example.prompt_ids)))
        assert any(fact.subject in prompt for fact in FACTS)
        assert example.labels == (*[IGNORE] * len(example.prompt_ids), *example.ids[len(example.prompt_ids) :])
        with torch.no_grad():
            said = model(torch.tensor([example.ids])).logits[0].argmax(-1).tolist()
        assert tuple(said[example.prompt_end : len(example.ids) - 1]) == example.object_ids


def test_contrasts_are_the_same_again_and_others_for_another_seed() -> None:
    first, again, other = (
        build_contrasts(build_language_model(), FACTS, Wordings([]), count=10, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize("prompt_set", ["training", "held_out", "control"])
def test_a_wording_of_a_relation_that_is_taught_is_never_a_contrast(prompt_set: PromptSet) -> None:
    asked = PromptTemplate("mother", "How old is {subject}?", prompt_set, "en")
    language_model = build_language_model()
    found = build_contrasts(language_model, FACTS, Wordings([asked]), count=1000, seed=0)
    assert found
    assert not any("How old" in str(language_model.tokenizer.decode(list(example.ids))) for example in found)


@pytest.mark.parametrize(("lines", "contrasts"), [(0, 0), (1, 0), (0, 2), (1, 2)])
def test_so_many_stand_beside_each_prompt(lines: int, contrasts: int) -> None:
    task = build_task(generalize={"rote_lines": lines, "contrasts": contrasts})
    memorize, generalize = plan(METHOD, build_language_model(), task).stages
    assert len(generalize.examples) == len(task.generalize_facts) * (1 + lines + contrasts)
    assert sum(example in memorize.examples for example in generalize.examples) == lines * len(task.generalize_facts)
