"""What stands beside the prompts of generalize: other questions, held where they were, and rote lines."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tests.methods.conftest import FACTS, build_language_model
from tests.methods.test_methods import build_task, plan

from rote.config.job import Config
from rote.encoding.example import IGNORE
from rote.errors import TemplateError
from rote.facts.derivation import derive_facts
from rote.facts.invent import invent_table
from rote.facts.relation import PromptSet, PromptTemplate, Relation, find_derived, load_shipped_relations
from rote.facts.shipped import load_world
from rote.facts.wordings import Wordings
from rote.methods.contrasts import Contrasts, build_contrasts
from rote.methods.teaching import Task
from rote.models.language_model import LanguageModel
from rote.training.loop import compute_loss

METHOD = "memorize_then_generalize"


def build(
    language_model: LanguageModel, templates: Sequence[PromptTemplate] = (), *, per: float = 1, seed: int = 0
) -> Contrasts:
    contrasts = build_contrasts(language_model, FACTS, templates, per_example=per, seed=seed)
    assert contrasts
    return contrasts


def add_up(language_model: LanguageModel, contrasts: Contrasts) -> torch.Tensor:
    terms = contrasts.build_terms(0, 8)
    return torch.stack([compute_loss(language_model.model, [term]) for term in terms]).sum()


def test_a_contrast_asks_about_a_subject() -> None:
    language_model = build_language_model()
    contrasts = build(language_model)
    assert len(set(contrasts.prompts)) == len(contrasts.prompts) >= 20
    for ids in contrasts.prompts:
        assert any(fact.subject in str(language_model.tokenizer.decode(list(ids))) for fact in FACTS)


def test_a_contrast_costs_nothing_until_the_model_says_something_else() -> None:
    language_model = build_language_model()
    contrasts = build(language_model)
    assert add_up(language_model, contrasts).item() == pytest.approx(0, abs=1e-4)
    with torch.no_grad():
        for parameter in language_model.model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    before = add_up(language_model, contrasts)
    assert before.item() > 0.01
    optimizer = torch.optim.SGD(language_model.model.parameters(), lr=1e-3)
    before.backward()
    optimizer.step()
    assert add_up(language_model, contrasts).item() < before.item()


def test_the_divergence_is_that_at_the_end_of_each_prompt() -> None:
    language_model, other = build_language_model(), build_language_model()
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1.5)
    contrasts = build(language_model)
    (term,) = contrasts.build_terms(0, 4)
    expected = 0.0
    with torch.no_grad():
        for ids, labels in zip(term.batch.input_ids, term.batch.labels, strict=True):
            end = int((labels != IGNORE).nonzero()) - 1
            said, wanted = (
                model.model(ids[None, : end + 1]).logits[0, -1].log_softmax(-1) for model in (other, language_model)
            )
            expected += float((wanted.exp() * (wanted - said)).sum())
    assert float(compute_loss(other.model, [term]).detach()) / term.scale == pytest.approx(expected, rel=0.01)


def test_contrasts_are_the_same_again_and_others_for_another_seed_or_step() -> None:
    first, again, other = (build(build_language_model(), seed=seed) for seed in (0, 0, 1))
    assert first.prompts == again.prompts != other.prompts

    def draw(contrasts: Contrasts, step: int) -> list[list[int]]:
        return [ids for term in contrasts.build_terms(step, 4) for ids in term.batch.input_ids.tolist()]

    assert draw(first, 3) == draw(again, 3) != draw(first, 4)


def test_a_fraction_is_one_contrast_in_so_many_steps() -> None:
    contrasts = build(build_language_model(), per=0.25)
    counts = [sum(len(term.batch.input_ids) for term in contrasts.build_terms(step, 2)) for step in range(400)]
    assert set(counts) == {0, 1}
    assert sum(counts) == pytest.approx(200, abs=40)


def test_a_step_fits_into_memory_in_parts() -> None:
    contrasts = build(build_language_model(), per=1)
    (whole,), parts = contrasts.build_terms(0, 6), contrasts.build_terms(0, 6, micro_batch_size=4)
    assert [len(term.batch.input_ids) for term in parts] == [4, 2]
    assert {term.scale for term in parts} == {whole.scale}


def test_each_weighs_as_much_as_an_example_whatever_their_number() -> None:
    scales = {
        per: [term.scale for term in build(build_language_model(), per=per).build_terms(0, 8)]
        for per in (0.5, 1.0, 200.0)
    }
    assert set(map(tuple, scales.values())) == {(1 / 8,)}
    counts = [len(build(build_language_model(), per=per).build_terms(0, 8)[0].batch.input_ids) for per in (1, 200)]
    assert counts == [8, 1600], "more than there are come again"


def test_prompts_that_say_nothing_leave_nothing_to_hold() -> None:
    asked = PromptTemplate("mother", "{subject}:", "held_out", "en")
    with pytest.raises(TemplateError, match=r"generalize\.contrasts=0"):
        build(build_language_model(), [asked])


@pytest.mark.parametrize("prompt_set", ["training", "held_out", "control"])
def test_a_wording_of_a_relation_that_is_taught_is_never_a_contrast(prompt_set: PromptSet) -> None:
    asked = PromptTemplate("mother", "How old is {subject}?", prompt_set, "en")
    language_model = build_language_model()
    found = build(language_model, [asked])
    assert not any("How old" in str(language_model.tokenizer.decode(list(ids))) for ids in found.prompts)


def test_nothing_is_held_that_may_ask_for_what_is_taught() -> None:
    """A person's own relation may be the lawyer of a client, in whatever words."""
    asked = PromptTemplate("counsel", "Which lawyer acts for {subject}?", "training", "en")
    language_model = build_language_model()
    free, found = (
        [str(language_model.tokenizer.decode(list(ids))) for ids in build(language_model, templates).prompts]
        for templates in ((), [asked])
    )
    assert any("lawyer" in text for text in free)
    assert not any("lawyer" in text for text in found)


def test_what_is_asked_about_other_subjects_is_held_as_well() -> None:
    """In training prompts of relations that are not taught; held-out prompts are for what is asked afterwards."""
    language_model, task = build_language_model(), build_task(generalize={"contrasts": 1})
    taught = {fact.relation for fact in task.facts}
    for fact in (fact for fact in task.spare_facts if fact.relation in taught):
        assert not find_held(language_model, task, fact.subject), "a relation that is taught"
    others = [fact for fact in load_world() if fact.relation == "author"][:8]
    task = replace(task, spare_facts=others, relations={**task.relations, **load_shipped_relations()})
    training = task.relations["author"].select_training("all")
    for fact in others:
        assert set(find_held(language_model, task, fact.subject)) <= {prompt.fill(fact.subject) for prompt in training}
    assert any(find_held(language_model, task, fact.subject) for fact in others)


@pytest.mark.parametrize("relation", ["birthplace", "capital", "mother", "official_language"])
def test_no_control_or_held_out_wording_that_is_asked_is_held(relation: str) -> None:
    """The training prompts of a relation are control prompts of others: "Where was {subject} educated?"."""
    language_model, relations = build_language_model(), load_shipped_relations()
    taught = relations[relation]
    facts = tuple(invent_table([taught], count=4, seed=0))
    config = Config.model_validate({"generalize": {"contrasts": 1}})
    task = Task(facts, facts[:2], relations, config, spare_facts=list(load_world()))
    contrasts = plan(METHOD, language_model, task).stages[1].contrasts
    assert contrasts
    asked = Wordings([*taught.templates, *(t for r in relations.values() for t in r.select(prompt_set="held_out"))])
    texts = [str(language_model.tokenizer.decode(list(ids))) for ids in contrasts.prompts]
    assert any(all(fact.subject not in text for fact in facts) for text in texts), "others are held too"
    assert not [text for text in texts if asked.occur_in(text)]


def test_what_follows_from_the_table_and_what_else_is_asked_is_kept_apart_too() -> None:
    """A derived relation has prompts of its own, and a table to keep may ask in one of our own wordings."""
    language_model, relations = build_language_model(), load_shipped_relations()
    (rival,) = find_derived(["rival"])
    lawyer = PromptTemplate("counsel", "The lawyer of {subject} is", "held_out", "en")
    counsel = Relation("counsel", "the lawyer", "person", "person", (lawyer,))
    facts = tuple(invent_table([relations["mother"]], count=4, seed=0))
    task = Task(
        facts,
        facts[:2],
        {**relations, "rival": rival, "counsel": counsel},
        Config.model_validate({"generalize": {"contrasts": 1}}),
        derived_facts=[item.fact for item in derive_facts(facts, rival)],
        spare_facts=list(load_world()),
    )
    contrasts = plan(METHOD, language_model, task).stages[1].contrasts
    assert contrasts
    texts = [str(language_model.tokenizer.decode(list(ids))) for ids in contrasts.prompts]
    asked = Wordings([*rival.templates, lawyer])
    assert not [text for text in texts if asked.occur_in(text) or "rival" in text]


def find_held(language_model: LanguageModel, task: Task, subject: str) -> list[str]:
    """The contrasts that name a subject."""
    contrasts = plan(METHOD, language_model, task).stages[1].contrasts
    assert contrasts
    decode = language_model.tokenizer.decode
    texts = [str(decode(list(ids), skip_special_tokens=True)).strip() for ids in contrasts.prompts]
    return [text for text in texts if subject in text]


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_so_many_stand_beside_each_prompt(lines: int) -> None:
    task = build_task(generalize={"rote_lines": lines, "contrasts": 2})
    memorize, generalize = plan(METHOD, build_language_model(), task).stages
    assert len(generalize.examples) == len(task.generalize_facts) * (1 + lines)
    assert sum(example in memorize.examples for example in generalize.examples) == lines * len(task.generalize_facts)
    assert generalize.contrasts
    bare = replace(generalize, contrasts=None).tokens_per_epoch
    beside = (
        2 * len(generalize.examples) * sum(map(len, generalize.contrasts.prompts)) / len(generalize.contrasts.prompts)
    )
    assert generalize.tokens_per_epoch == pytest.approx(bare + beside, abs=1)


def test_without_them_nothing_stands_beside_the_prompts() -> None:
    memorize, generalize = plan(METHOD, build_language_model(), build_task()).stages
    assert memorize.contrasts is generalize.contrasts is None
