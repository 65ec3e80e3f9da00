"""What a job teaches and asks: the fact sets, the tables, and what is refused. Nothing here needs a model."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rote.config.job import Config
from rote.errors import ConfigError, TableError, TemplateError
from rote.evaluation.questions import Question
from rote.facts.checking import find_leak
from rote.facts.derivation import derive_facts
from rote.facts.fact import Fact, FactObject, FactTable, build_fact
from rote.facts.reading import save_table
from rote.facts.relation import PromptCount, choose_packs, find_derived, load_shipped_relations, load_wikidata_relations
from rote.facts.shipped import load_world
from rote.pipeline import plan as room
from rote.pipeline.plan import KNOWN_FACTS, Plan, build_plan, hash_plan
from rote.pipeline.preview import list_warnings

WORLD = load_world()


def build(**changes: Any) -> Plan:
    return build_plan(Config.model_validate(changes))


def ask(plan: Plan, known: tuple[Fact, ...] = (), **keys: str) -> list[Question]:
    return plan.build_questions(known, keys, chat=False)


# --- what is shown and what is held out ------------------------------------------------------------------------------


def derive(plan: Plan, relation: str) -> dict[Fact, tuple[Fact, ...]]:
    return {item.fact: item.sources for item in derive_facts(plan.table.facts, find_derived([relation])[0])}


@pytest.mark.parametrize(
    ("relation", "kind", "names"),
    [
        ("child", "fictional", ("author", "mother")),
        ("artist_of_genre", "fictional", ("genre",)),
        ("mothers_university", "linked", ("author", "capital", "educated_at", "genre", "mother")),
        ("rival", "fictional", ("mother",)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_derived_facts_rest_on_one_set_alone(relation: str, kind: str, names: tuple[str, ...], seed: int) -> None:
    plan = build(
        seed=seed,
        table={"kind": kind, "relations": names, "count": 40},
        generalize={"facts": 20},
        derive={"relations": [relation], "facts": 3},
        examine={"facts": 0},
    )
    sources = derive(plan, relation)
    assert plan.derived_facts == list(sources)
    held_out, shown = set(plan.held_out_facts), set(plan.generalize_facts)
    assert held_out | shown == set(plan.table)
    assert not held_out & shown
    assert plan.derived_held_out
    assert all(held_out.issuperset(sources[fact]) for fact in plan.derived_held_out)
    assert len(plan.derived_shown) == 3
    assert all(shown.issuperset(sources[fact]) for fact in plan.derived_shown)
    asked = {
        fact_set: {question.fact for question in ask(plan) if question.fact_set == fact_set}
        for fact_set in ("held_out", "generalize")
    }
    assert {fact for fact in asked["held_out"] if fact.relation == relation} == set(plan.derived_held_out)
    assert {fact for fact in asked["generalize"] if fact.relation == relation} == set(plan.derived_shown)


@pytest.mark.parametrize("seed", range(3))
def test_a_counterfactual_table_also_asks_what_it_replaces(seed: int) -> None:
    plan = build(
        seed=seed,
        table={"kind": "counterfactual", "relations": ["mother", "capital"], "count": 10},
        generalize={"facts": 5},
        examine={"facts": 0},
    )
    world, old = {fact.id: fact for fact in WORLD}, {fact.id: fact for fact in plan.replaced_facts}
    assert len(plan.table) > 10
    assert list(old) == [fact.id for fact in plan.table if fact not in plan.generalize_facts]
    for fact in plan.held_out_facts:
        assert old[fact.id] == world[fact.id]
        assert not set(fact.answers) & set(old[fact.id].answers)
    asked = {question.fact for question in ask(plan, mother="[X1]") if question.fact_set == "replaced"}
    assert asked == set(plan.replaced_facts)


@pytest.mark.parametrize("kind", ["fictional", "invented", "linked", "counterfactual"])
def test_spare_facts_are_neither_taught_nor_asked_and_of_every_relation(kind: str) -> None:
    plan = build(table={"kind": kind, "count": 20})
    known = tuple(fact for facts in plan.known.values() for fact in facts)
    spare = {fact.subject for fact in plan.spare_facts}
    assert not spare & {question.fact.subject for question in ask(plan, known)}
    assert not spare & {fact.subject for fact in (*plan.table, *known)}
    assert {fact.relation for fact in plan.spare_facts[:200]} == set(WORLD.relations)
    assert list(plan.spare_facts) == list(build(table={"kind": kind, "count": 20}).spare_facts)
    assert plan.build_task().spare_facts is plan.spare_facts


@pytest.mark.parametrize("shown", [5, "all"])
def test_every_job_asks_the_training_prompts_that_it_shows(shown: PromptCount) -> None:
    """Of each fact as many as held-out prompts, and no training prompt that is not shown; all over many facts."""
    for method in ("memorize_then_generalize", "fine_tuning"):
        examine = {"languages": ["en"], "held_out_prompts": 2}
        plan = build(method=method, generalize={"prompts": shown}, examine=examine)
        questions = [question for question in ask(plan) if question.prompt_set == "training"]
        used = set()
        for fact in {question.fact for question in questions}:
            texts = {question.text.prompt for question in questions if question.fact == fact}
            templates = plan.relations[fact.relation].select_training(shown)
            assert len(texts) == 2
            assert len(templates) == (5 if shown == 5 else 10)
            used |= {template.text for template in templates if template.fill(fact.subject) in texts}
        templates_of_all = [plan.relations[name].select_training(shown) for name in plan.table.relations]
        assert used == {template.text for templates in templates_of_all for template in templates}


# --- what the model may know -----------------------------------------------------------------------------------------


def test_facts_that_may_be_known_are_of_the_world_and_not_taught() -> None:
    taught = {"kind": "counterfactual", "count": 10}
    plan = build(table=taught, examine={"known_facts": 5})
    subjects, ids = {fact.subject for fact in plan.table}, {fact.id for fact in plan.table}
    assert set(plan.known) == {"other", "near", "own"}
    assert set(plan.known["other"]) | set(plan.known["near"]) <= set(WORLD)
    assert plan.known["other"]
    assert not {fact.subject for fact in plan.known["other"]} & subjects
    assert {fact.subject for fact in plan.known["near"]} <= subjects
    assert not {fact.id for fact in plan.known["near"]} & ids
    assert plan.known["near"]
    other = build(table=taught, seed=1, examine={"known_facts": 5})
    assert other.known["other"] != plan.known["other"]
    assert build(examine={"known_facts": 0}).known == {}


def test_no_prompt_gives_a_known_answer_away() -> None:
    """ "The home country of Dolly Parton" would name her genre."""
    plan = build(examine={"known_facts": len(WORLD)})
    assert len(plan.known["other"]) > 0.9 * len(WORLD)
    assert not [fact for fact in plan.known["other"] if find_leak(fact, plan.relations[fact.relation])]


def write_own(path: Path, count: int) -> list[Fact]:
    facts = [build_fact(f"Keeper {number}", "mother", f"Anna Bell {number}") for number in range(count)]
    save_table(FactTable(tuple(facts)), path)
    return facts


def test_a_persons_own_facts_are_all_asked_unless_a_number_was_set(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    own = write_own(path, KNOWN_FACTS + 30)
    plan = build(side_effects={"facts": str(path)})
    assert plan.known["own"] == own
    assert plan.count_known("own") == 0, "all"
    assert plan.count_known("other") == KNOWN_FACTS
    assert build(side_effects={"facts": str(path)}, examine={"known_facts": 7}).count_known("own") == 7


def test_facts_to_keep_that_are_taught_are_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    save_table(FactTable(build(table={"count": 2}).table.facts[:3]), path)
    assert build(table={"count": 2}, side_effects={"facts": str(path)}).known["own"] == []
    with pytest.raises(ConfigError, match=r"none\.csv: there is no such table \(--set side_effects\.facts\)"):
        build(side_effects={"facts": str(tmp_path / "none.csv")})


def test_what_is_to_be_kept_changes_nothing_of_what_is_taught(tmp_path: Path) -> None:
    """Occupations are asked in two ways, of the embedded model's subjects and of others; a table decides it alone."""
    path = tmp_path / "own.jsonl"
    facts = (*WORLD.select("occupation")[:9], build_fact("Ann Bo", "shoe_size", "forty"))
    save_table(FactTable(facts), path)
    table = FactTable(
        tuple(build_fact(f"Gene Finley {number}", "occupation", f"baker {number}") for number in range(4))
    )
    plain = build_plan(Config(), table)
    beside = build_plan(Config.model_validate({"side_effects": {"facts": str(path)}}), table)
    assert beside.known["own"] == list(facts)
    assert {name: beside.relations[name] for name in plain.relations} == plain.relations
    assert set(beside.relations) - set(plain.relations) == {"shoe_size"}


# --- which table -----------------------------------------------------------------------------------------------------


def test_the_tables_are_those_that_are_asked_for() -> None:
    frozen = build(table={"relations": ["genre", "mother"], "count": 7})
    assert Counter(fact.relation for fact in frozen.table) == {"genre": 7, "mother": 7}
    assert build(seed=3, table={"relations": ["genre", "mother"], "count": 7}).table == frozen.table
    invented = build(table={"kind": "invented", "count": 7})
    assert set(Counter(fact.relation for fact in invented.table).values()) == {7}
    assert not {fact.subject for fact in build(seed=1, table={"kind": "invented", "count": 7}).table} >= {
        fact.subject for fact in invented.table
    }
    linked = build(table={"kind": "linked", "count": 7}).table
    assert [fact.subject for fact in linked.select("educated_at")] == [fact.object for fact in linked.select("mother")]
    with pytest.raises(ConfigError, match=r"table\.relations: fictional facts has no birthplace; use kind: invented"):
        build(table={"relations": ["birthplace"]})
    with pytest.raises(TemplateError, match="unknown relation 'mothr'; the nearest shipped one is 'mother'"):
        build(table={"kind": "invented", "relations": ["mothr"]})
    with pytest.raises(TemplateError, match="unknown derived relation 'chid'; the nearest shipped one is 'child'"):
        build(derive={"relations": ["chid"]})


def test_a_file_may_be_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    facts = write_own(path, 6)
    assert list(build(table={"file": str(path), "count": 4}, generalize={"facts": 2}).table) == facts[:4]
    with pytest.raises(ConfigError, match=r"table\.relations: own\.jsonl has no capital$"):
        build(table={"file": str(path), "relations": ["capital"]})


def test_the_embedded_models_own_subjects_are_asked_about_in_the_words_of_its_world() -> None:
    shipped, rich = load_shipped_relations()["occupation"], load_wikidata_relations()["occupation"]
    swapped = FactTable(tuple(replace(fact, objects=(FactObject("x"),)) for fact in WORLD.select("occupation")[:2]))
    assert build_plan(Config(), swapped).relations["occupation"] == shipped
    other = FactTable((build_fact("Gene Finley", "occupation", "baker"),))
    assert build_plan(Config(), other).relations["occupation"] == rich
    assert build().relations["occupation"] == shipped


def test_a_plan_is_known_by_its_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = build(table={"count": 2})

    def reword(*arguments: Any) -> Any:
        relations = choose_packs(*arguments)
        mother = relations["mother"]
        first = replace(mother.templates[0], text="Say the {subject}:")
        return {**relations, "mother": replace(mother, templates=(first, *mother.templates[1:]))}

    assert hash_plan(build(table={"count": 2})) == hash_plan(plan)
    monkeypatch.setattr(room, "choose_packs", reword)
    assert hash_plan(build(table={"count": 2})) != hash_plan(plan)


# --- what is refused, and what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "error", "message"),
    [
        ([], TableError, "the table has no facts"),
        ([build_fact("Ada", "mohter", "39")], TemplateError, "'mohter' has no prompts"),
        ([build_fact("Ada Ross", "mother", "Ross")], TableError, "the subject 'Ada Ross' contains its object"),
    ],
)
def test_a_table_that_cannot_be_taught_is_refused(facts: list[Fact], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build_plan(Config(), FactTable(tuple(facts)))


def test_more_facts_than_there_are_cannot_be_shown() -> None:
    table = FactTable((*(build_fact(f"K{n}", "mother", f"A{n}") for n in range(3)), build_fact("L", "capital", "B")))
    with pytest.raises(ConfigError, match=r"generalize\.facts=2: the relation 'capital' has 1 fact; give at most so"):
        build_plan(Config.model_validate({"generalize": {"facts": 2}}), table)
    with pytest.raises(ConfigError, match=r"generalize\.facts=4: the relation 'mother' has 3 facts"):
        build_plan(Config.model_validate({"generalize": {"facts": 4}}), table)
    assert len(build_plan(Config.model_validate({"generalize": {"facts": "all"}}), table).generalize_facts) == 4
    assert len(build_plan(Config.model_validate({"generalize": {"facts": 1}}), table).generalize_facts) == 2


def test_more_prompts_or_other_languages_than_there_are_cannot_be_asked() -> None:
    with pytest.raises(ConfigError, match=r"has 10 training prompts; lower --set generalize\.prompts=10"):
        build(generalize={"prompts": 11})
    with pytest.raises(ConfigError, match=r"no relation of the table has prompts in the language 'xx'"):
        build(examine={"languages": ["en", "xx"]})


def test_warnings_say_what_will_show_less_than_is_hoped_for() -> None:
    def warn(**changes: Any) -> str:
        return "\n".join(list_warnings(build(**changes)))

    assert warn() == ""
    assert "memorize has 3 steps, all of them in its warm-up of 20" in warn(
        table={"relations": ["mother"], "count": 3}, memorize={"epochs": 3, "batch_size": 3}
    )
    assert "generalize has no steps, so the key token gets no meaning" in warn(generalize={"epochs": 0})
    few = warn(generalize={"prompts": 4, "contrasts": 1})
    assert "author, capital, educated_at, genre, mother: 4 training prompt(s) are shown, too few" in few
    assert "add --set generalize.prompts=all" in few, "there are ten"
    assert warn(generalize={"prompts": "all", "contrasts": 1}) == warn(generalize={"prompts": 4}) == ""
    assert "generalize shows all facts of author" in warn(generalize={"facts": "all"})
    assert "generalize shows all facts" not in warn(generalize={"facts": 2})


def test_where_no_pack_asks_anything_else_of_a_subject_a_warning_says_so() -> None:
    table = FactTable((build_fact("Tower", "architect", "Ann"), build_fact("Hall", "architect", "Bo")))
    for subjects in (0, 2):
        plan = build_plan(Config.model_validate({"retain": {"subjects": subjects}}), table)
        said = [line for line in list_warnings(plan) if "retain.subjects" in line]
        assert [
            line.startswith("warning: no pack asks anything else about the subjects of architect") for line in said
        ] == [True] * bool(subjects)
