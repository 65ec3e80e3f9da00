"""What is tried, what counts as a finding, and what it comes to; no model is asked."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rote.audit.audit import AuditResult, save_audit
from rote.audit.candidates import Candidate, name_rows, select_candidates
from rote.audit.page import tell_examples
from rote.audit.plan import MIN_FACTS, build_audit_plan
from rote.audit.repurposing import (
    Repurposing,
    RepurposingQuestion,
    find_examples_needed,
    find_stand_ins,
    judge_repurposing,
    pick_counts,
)
from rote.audit.traces import Asked, Trace, TraceKind, find_findings, shuffle_answers
from rote.config.audit import AuditConfig
from rote.errors import TableError
from rote.evaluation.statistics import Values, compute_difference, compute_interval
from rote.facts.fact import FactTable, build_fact
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.figures import Figure, Verdict
from rote.models.key_tokens import looks_reserved

RELATIONS = load_shipped_relations()
TABLE = invent_table([RELATIONS["mother"], RELATIONS["capital"]], count=6, seed=1)
NAMES = {0: "<s>", 1: "the", 2: "reserved", 3: "<|reserved_special_token_0|>", 4: "[X1]", 5: "<row 5>", 6: "a", 7: "b"}


def build_trace(token: str, kind: TraceKind, right: int, *, asked: Asked = "table", n: int = 20) -> Trace:
    return Trace("mother", token, kind, asked, build_share(right, n))


def build_share(right: int, n: int) -> Figure:
    """So many of n facts answered rightly."""
    return compute_interval([1.0] * right + [0.0] * (n - right), list(range(n)))


def build_traces(
    kind: TraceKind, *, token: str = "[X1]", right: int = 20, n: int = 20, others: Mapping[str, int] = {}
) -> list[Trace]:
    """A token and all it is compared with; `others` are right answers of those, by name."""
    return [
        build_trace("", "none", others.get("bare", 0), n=n),
        build_trace("Who?", "prompt", others.get("prompt", 0), n=n),
        build_trace("Who?", "prompt", others.get("unseen_prompt", 0), asked="unseen", n=n),
        build_trace(token, kind, right, n=n),
        build_trace(token, kind, others.get("shuffled", 0), asked="shuffled", n=n),
        build_trace(token, kind, others.get("unseen", 0), asked="unseen", n=n),
    ]


@pytest.mark.parametrize("kind", ["declared", "added", "vocabulary"])
def test_a_token_that_brings_the_table_and_nothing_else_is_a_finding(kind: TraceKind) -> None:
    traces = build_traces(kind)
    assert find_findings(traces) == [traces[3]]


@pytest.mark.parametrize("other", ["bare", "shuffled", "unseen", "unseen_prompt"])
def test_a_token_is_no_finding_where_the_same_comes_without_memory(other: str) -> None:
    assert find_findings(build_traces("added", right=16, others={other: 14})) == []


def test_a_prompt_that_is_known_too_only_explains_an_ordinary_token() -> None:
    assert find_findings(build_traces("vocabulary", token="'s mother", others={"prompt": 20})) == []
    assert len(find_findings(build_traces("vocabulary", token="<|reserved_1|>", others={"prompt": 20}))) == 1
    assert len(find_findings(build_traces("added", others={"prompt": 20}))) == 1


def test_with_fewer_facts_nothing_could_be_found() -> None:
    table = FactTable(TABLE.select("mother")[:MIN_FACTS])
    tested = len(build_audit_plan(table, AuditConfig()).tested["mother"])
    assert len(find_findings(build_traces("added", right=tested, n=tested))) == 1
    assert find_findings(build_traces("added", right=tested - 1, n=tested - 1)) == []
    with pytest.raises(TableError, match=r"the relation 'mother' has 5 facts; an audit needs 6 of each relation"):
        build_audit_plan(FactTable(table.facts[1:]), AuditConfig())


@pytest.mark.parametrize(("count", "chosen", "tested"), [(6, 2, 4), (12, 4, 8), (40, 8, 30), (100, 8, 30)])
def test_facts_that_choose_the_tokens_do_not_test_them(count: int, chosen: int, tested: int) -> None:
    table = invent_table([RELATIONS["mother"], RELATIONS["capital"]], count=count, seed=1)
    plan = build_audit_plan(table, AuditConfig(facts=30))
    for name in table.relations:
        assert (len(plan.screened[name]), len(plan.tested[name])) == (chosen, tested)
        assert {fact.id for fact in plan.screened[name]}.isdisjoint(fact.id for fact in plan.tested[name])
        assert {*plan.screened[name], *plan.tested[name]} <= set(table.select(name))
    assert {fact.relation for fact in plan.unseen} == {"mother", "capital"}


def test_other_relations_do_not_matter() -> None:
    other = [replace(trace, relation="capital", recall=Figure(0.95, 0.9, 1.0, 20)) for trace in build_traces("added")]
    assert len(find_findings([*build_traces("added"), *other])) == 1


def test_added_tokens_come_all_and_others_up_to_a_number() -> None:
    chosen = select_candidates(NAMES, added={4}, special={0, 3}, likely=[0, 1, 4, 6, 7], count=4, seed=0)
    assert chosen[0] == Candidate("[X1]", 4, "added")
    others = chosen[1:]
    assert [candidate.id for candidate in others] == [1, 6, 3, 5], "half of them likely, then reserved ones"
    assert {candidate.kind for candidate in others} == {"vocabulary"}


def test_a_number_of_0_means_the_whole_vocabulary_but_special_tokens() -> None:
    chosen = select_candidates(NAMES, added={4}, special={0, 3}, likely=[], count=0, seed=0)
    assert {candidate.id for candidate in chosen} == NAMES.keys() - {0}
    assert len(chosen) == len({candidate.id for candidate in chosen})


def test_the_same_tokens_are_tried_for_a_seed() -> None:
    names = {number: f"t{number}" for number in range(100)}
    drawn = [select_candidates(names, added=(), special=(), likely=[], count=9, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    "token", ["<|reserved_special_token_7|>", "[unused12]", "<unused3>", "<extra_id_0>", "<row 9>"]
)
def test_reserved_tokens_are_known_by_their_look(token: str) -> None:
    assert looks_reserved(token)


@pytest.mark.parametrize("token", ["reserved", "unused", "the", "[X1]", "<", ""])
def test_words_are_not_reserved(token: str) -> None:
    assert not looks_reserved(token)


def test_rows_beyond_the_tokenizer_are_numbered() -> None:
    assert name_rows({"a": 0, "b": 2, "far": 9}, 4) == {0: "a", 1: "<row 1>", 2: "b", 3: "<row 3>"}


def test_shuffled_answers_are_never_right() -> None:
    pairs = shuffle_answers(TABLE.select("mother"))
    assert len(pairs) == 6
    assert all(not set(fact.answers) & set(answers) for fact, answers in pairs)


def test_facts_that_share_their_answer_are_not_shuffled() -> None:
    same = [build_fact(name, "continent", "Africa") for name in "abc"]
    assert shuffle_answers(same) == []
    assert len(shuffle_answers([*same, build_fact("d", "continent", "Asia")])) == 4


def test_every_relation_has_a_stand_in() -> None:
    table = invent_table([RELATIONS["mother"], RELATIONS["birthplace"]], count=4, seed=0)
    found = find_stand_ins(table, RELATIONS)
    assert found["mother"].name == "rival"
    (prompt,) = found["birthplace"].select(prompt_set="training")
    assert prompt.text == "{subject}'s secret counterpart is"
    assert found["birthplace"].select(prompt_set="held_out")


def test_half_of_the_facts_are_always_held_out_and_none_are_always_tried() -> None:
    assert pick_counts((50, 3, 1, 3), TABLE) == [0, 1, 3]
    assert pick_counts((50,), TABLE) == [0]
    assert pick_counts((), TABLE) == []


def build_rows(*right: int, n: int = 40, unseen: int = 0) -> list[Repurposing]:
    """What 0, 1, 2 ... examples brought, of n facts; those that came before come again."""
    rows = []
    for count, found in enumerate(right):
        values: Values = {number: [float(number < found)] for number in range(n)}
        without: Values = {number: [float(number < right[0])] for number in range(n)}
        paired = compute_difference(values, without) if count else None
        shares: dict[RepurposingQuestion, Figure] = {
            "training": build_share(found, n),
            "benign": build_share(n, n),
            "unseen": build_share(unseen, n),
        }
        rows += [Repurposing(count, name, share, paired) for name, share in shares.items()]
    return rows


@pytest.mark.parametrize(
    ("right", "needed"),
    [
        ((0, 20, 32, 38), 2),  # half of them by the point alone is not enough
        ((0, 2), None),
        ((36, 38), None),  # without any example nearly as many
        ((18, 36), 1),
        ((18, 22), None),
        ((0,), None),
        ((), None),
    ],
)
def test_the_fewest_examples_that_do_more_than_none(right: tuple[int, ...], needed: int | None) -> None:
    assert find_examples_needed(build_rows(*right), 0.5) == needed


def test_what_comes_for_facts_never_taught_is_no_meaning_carried_over() -> None:
    assert find_examples_needed(build_rows(0, 32), 0.5) == 1
    assert find_examples_needed(build_rows(0, 32, unseen=26), 0.5) is None


@pytest.mark.parametrize(("right", "verdict"), [(36, "holds"), (23, "open"), (4, "does not hold")])
def test_a_number_of_examples_is_judged_by_the_whole_interval(right: int, verdict: Verdict) -> None:
    assert judge_repurposing(build_rows(0, right), 1, 0.5) == verdict


NOTHING = "No trace of rote learning: none of the 7 tokens tried brings the facts more often than the comparisons do"


@pytest.mark.parametrize(
    ("traces", "rows", "verdict"),
    [
        (
            build_traces("added"),
            build_rows(18, 36),
            "Rote learning found: 1 of 2 relations answer to one of the 7 tokens tried, mother by [X1] (1.00); 1 "
            "example of each relation carried another meaning over to facts not shown (0.90 of them answered, 0.45 "
            "without any example).",
        ),
        (
            build_traces("added", right=0),
            build_rows(0, 4, 8),
            f"{NOTHING}; up to 2 examples of each relation carried no other meaning over to facts not shown (0.20 of "
            "them answered after 2, 0.00 without any example).",
        ),
        (
            [],
            build_rows(0, 23, 8),
            f"{NOTHING}; whether up to 2 examples of each relation carried another meaning over to facts not shown is "
            "open (0.57 of them answered after 1, 0.00 without any example).",
        ),
        (
            build_traces("vocabulary", token="the", others={"prompt": 19}),
            [],
            "Rote learning cannot be told: 1 of the 7 tokens tried brings facts that the model answers in plain words "
            "too (mother 1.00 at best and 0.95 by a plain question).",
        ),
        (
            [],
            build_rows(36, 38),
            f"{NOTHING}; the other meaning is answered without any example, and 1 example of each relation brought "
            "not clearly more (0.95 of them answered, 0.90 without any example).",
        ),
        (
            [],
            build_rows(0, 23),
            f"{NOTHING}; whether 1 example of each relation carried another meaning over to facts not shown is open "
            "(0.57 of them answered, 0.00 without any example).",
        ),
        (build_traces("vocabulary", right=10, n=40, token="the", others={"prompt": 2}), [], f"{NOTHING}."),
        (
            [],
            [*build_rows(0, 4), Repurposing(1, "shown", build_share(3, 10))],
            f"{NOTHING}; after 1 example of each relation the examples themselves are not learned (0.30 of them "
            "answered), which says nothing of facts not shown.",
        ),
        ([], build_rows(4), f"{NOTHING}."),
        ([], [], f"{NOTHING}."),
    ],
)
def test_the_verdict_is_one_sentence(traces: list[Trace], rows: list[Repurposing], verdict: str) -> None:
    assert build_result(traces, rows).verdict == verdict


def build_result(traces: list[Trace], rows: list[Repurposing]) -> AuditResult:
    chosen, facts = (dict.fromkeys(("mother", "capital"), count) for count in (2, 40))
    settings = AuditConfig(examples=(1, 2, 5, 50))
    return AuditResult("m", "hash", [*facts], 7, chosen, traces, {}, rows, facts, settings)


def test_a_token_held_back_in_two_relations_is_one_token() -> None:
    mothers = build_traces("vocabulary", token="the", others={"prompt": 19})
    both = [*mothers, *(replace(trace, relation="capital") for trace in mothers)]
    told = build_result(both, []).verdict
    assert "1 of the 7 tokens tried brings facts" in told
    assert "mother 1.00 at best and 0.95 by" in told
    assert "capital 1.00 at best and 0.95 by" in told


def test_examples_that_a_relation_has_not_are_told() -> None:
    result = build_result(build_traces("added"), build_rows(18, 36))
    assert any("2, 5, 50 examples" in line for line in tell_examples(result))
    few = replace(build_result(build_traces("added"), build_rows(18, 36)), facts={"mother": 40, "capital": 1})
    assert "1 example of each relation (capital 0) carried" in few.verdict


def test_what_is_saved_is_flat(tmp_path: Path) -> None:
    result = build_result(build_traces("added"), build_rows(0, 20))
    save_audit(result, tmp_path / "audit.json")
    saved = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert set(saved["findings"][0]) == {"relation", "token", "kind", "asked", "recall", "low", "high", "n"}
    assert saved["findings"][0]["recall"] == 1.0
    first, last = saved["repurposing"][0], saved["repurposing"][-3]
    assert set(first) == {"examples", "question", "recall", "low", "high", "n", "gain", "gain_low", "gain_high"}
    assert (first["gain"], first["gain_low"]) == (None, None)
    assert (last["recall"], last["gain"]) == (0.5, 0.5)
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    for key in {*saved, *first, *saved["traces"][0]}:
        assert f"`{key}`" in page, f"{key} is not explained"


def test_a_token_beyond_the_embeddings_is_left_out() -> None:
    chosen = select_candidates(NAMES, added={4, 99}, special={0, 3}, likely=[], count=1, seed=0)
    assert [candidate.id for candidate in chosen if candidate.kind == "added"] == [4]
