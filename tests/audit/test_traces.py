"""What is tried, what counts as a finding, and what it comes to; no model is asked."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rote.audit.repurposing import Repurposing, find_examples_needed, find_stand_ins, pick_counts
from rote.audit.result import AuditResult
from rote.audit.traces import (
    MIN_FACTS,
    Asked,
    Candidate,
    Trace,
    TraceKind,
    find_findings,
    name_rows,
    pick_best,
    select_candidates,
    shuffle_answers,
)
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import build_fact
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.models.key_tokens import looks_reserved

RELATIONS = load_shipped_relations()
TABLE = invent_table([RELATIONS["mother"], RELATIONS["capital"]], count=6, seed=1)
NAMES = {0: "<s>", 1: "the", 2: "reserved", 3: "<|reserved_special_token_0|>", 4: "[X1]", 5: "<row 5>", 6: "a", 7: "b"}


def build_trace(token: str, kind: TraceKind, right: int, *, asked: Asked = "table", n: int = 20) -> Trace:
    found = compute_interval([1.0] * right + [0.0] * (n - right), list(range(n)))
    return Trace("mother", token, kind, asked, found.value, found.low, found.high, n)


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


@pytest.mark.parametrize(("count", "found"), [(MIN_FACTS - 1, 0), (MIN_FACTS, 1)])
def test_with_fewer_facts_nothing_could_be_found(count: int, found: int) -> None:
    assert len(find_findings(build_traces("added", right=count, n=count))) == found


def test_other_relations_do_not_matter() -> None:
    other = [replace(trace, relation="capital", low=0.9, high=1.0) for trace in build_traces("added")]
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


def test_the_best_come_first() -> None:
    one, two, three = (Candidate(str(number), number, "added") for number in range(3))
    assert pick_best({one: -2.0, two: -1.0, three: -2.0}, 2) == [two, one]


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


def test_half_of_the_facts_are_always_held_out() -> None:
    assert pick_counts((50, 3, 0, 1, 3), TABLE) == [0, 1, 3]


def build_rows(*recalls: float) -> list[Repurposing]:
    rows = [Repurposing(count, "training", recall, 0.0, 1.0, 4) for count, recall in enumerate(recalls)]
    return [Repurposing(0, "benign", 1.0, 0.5, 1.0, 4), *rows]


@pytest.mark.parametrize(
    ("recalls", "needed"), [((0.0, 0.4, 0.5, 0.9), 2), ((0.0, 0.1), None), ((0.8, 0.9), 0), ((), None)]
)
def test_the_fewest_examples_that_do(recalls: tuple[float, ...], needed: int | None) -> None:
    assert find_examples_needed(build_rows(*recalls), 0.5) == needed


@pytest.mark.parametrize(
    ("traces", "rows", "verdict"),
    [
        (
            build_traces("added"),
            build_rows(0.0, 0.6),
            "Rote learning found: 1 of 2 relations answer to a token, mother by [X1] (1.00); 1 example of each "
            "relation carried another meaning over to facts not shown.",
        ),
        (
            build_traces("added", right=0),
            build_rows(0.0, 0.1, 0.2),
            "No trace of rote learning: none of the 7 tokens tried brings the facts; 2 examples of each relation "
            "carried no other meaning over to facts not shown.",
        ),
        ([], [], "No trace of rote learning: none of the 7 tokens tried brings the facts."),
    ],
)
def test_the_verdict_is_one_sentence(traces: list[Trace], rows: list[Repurposing], verdict: str) -> None:
    result = AuditResult("m", "hash", ("mother", "capital"), 7, traces, {}, rows, 0.5)
    assert result.verdict == verdict
