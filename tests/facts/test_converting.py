"""Records as the field publishes them become tables of facts."""

import json
from pathlib import Path
from typing import Any

import pytest

from rote.errors import TableError
from rote.facts.converting import Converted, convert_records, write_packs
from rote.facts.prompt_checking import check_prompts
from rote.facts.published import Which, load_records


def edit(subject: str, new: str, prompt: str = "The mother tongue of {} is", relation: str = "P103") -> dict[str, Any]:
    return {
        "prompt": prompt,
        "relation_id": relation,
        "target_new": {"str": new, "id": "Q1860"},
        "target_true": {"str": "French", "id": "Q150"},
        "subject": subject,
    }


def counterfact(*edits: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"case_id": i, "requested_rewrite": e, "paraphrase_prompts": ["So it was. She, a native"]}
        for i, e in enumerate(edits)
    ]


MQUAKE: dict[str, Any] = {
    "case_id": 1,
    "requested_rewrite": [
        {
            **edit("Ellie Kemper", "Croatia", "{} is a citizen of", "P27"),
            "question": "Of which country is Ellie Kemper a citizen?",
        },
        edit("Croatia", "Rishi", "The head of state of {} is", "P35"),
    ],
    "orig": {
        "triples": [["Q1", "P27", "Q30"], ["Q30", "P35", "Q6"]],
        "triples_labeled": [["Ellie Kemper", "country of citizenship", "USA"], ["USA", "head of state", "Joe Biden"]],
    },
}
ZSRE = {
    "subject": "Watts Humphrey",
    "src": "What university did Watts Humphrey attend?",
    "rephrase": "What university did Watts Humphrey take part in?",
    "alt": "University of Michigan",
    "answers": ["Illinois Institute of Technology", "IIT"],
}


def row(subject: str, number: str, label: str, value: str) -> dict[str, Any]:
    cells = {"subjectLabel": subject, "propertyLabel": label, "objectLabel": value}
    found = {name: {"type": "literal", "xml:lang": "en", "value": text} for name, text in cells.items()}
    return {**found, "property": {"type": "uri", "value": f"http://www.wikidata.org/prop/direct/{number}"}}


def sparql(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"head": {"vars": ["subjectLabel", "propertyLabel", "objectLabel"]}, "results": {"bindings": list(rows)}}


def convert(folder: Path, content: object, which: Which = "new", *, skip: bool = False) -> Converted:
    path = folder / "records.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    kind, records = load_records(path)
    return convert_records(path, kind, records, which=which, skip_faulty=skip)


def list_facts(converted: Converted) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(fact.subject, fact.relation, fact.answers) for fact in converted.build_table()]


CASES: dict[str, tuple[object, Which, list[tuple[str, str, tuple[str, ...]]]]] = {
    "CounterFact": (counterfact(edit("Ann", "English")), "new", [("Ann", "native_language", ("English",))]),
    "CounterFact, true": (counterfact(edit("Ann", "English")), "true", [("Ann", "native_language", ("French",))]),
    "MQuAKE": (
        [MQUAKE],
        "new",
        [("Ellie Kemper", "country_of_citizenship", ("Croatia",)), ("Croatia", "head_of_state", ("Rishi",))],
    ),
    "zsRE": ([ZSRE], "new", [("Watts Humphrey", "what_university_did_attend", ("University of Michigan",))]),
    "zsRE, true": (
        [ZSRE],
        "true",
        [("Watts Humphrey", "what_university_did_attend", ("Illinois Institute of Technology", "IIT"))],
    ),
    "Wikidata": (
        sparql(row("Oslo", "P17", "country", "Norway"), row("Bach", "P999", "Erdős number", "3")),
        "new",
        [("Oslo", "country", ("Norway",)), ("Bach", "erdős_number", ("3",))],
    ),
    "Wikidata, several objects are all right": (
        sparql(row("Ann", "P106", "occupation", "poet"), row("Ann", "P106", "occupation", "judge")),
        "new",
        [("Ann", "occupation", ("poet", "judge"))],
    ),
    "Wikidata, the short form": (
        [{"itemLabel": "Oslo", "propertyLabel": "headquarters location", "valueLabel": "Ski"}],
        "new",
        [("Oslo", "headquarters_location", ("Ski",))],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_is_known_by_its_fields(tmp_path: Path, name: str) -> None:
    content, which, wanted = CASES[name]
    assert list_facts(convert(tmp_path, content, which)) == wanted


def test_a_record_to_a_line_is_read_too_and_a_fact_names_its_record(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, counterfact(edit("Ann", "English"), edit("Bob", "Dutch"))))
    facts = list(convert(tmp_path, lines + "\n").build_table())
    assert [fact.provenance.source for fact in facts] == ["records.json, record 1", "records.json, record 2"]


def test_of_two_edits_of_one_fact_the_first_counts(tmp_path: Path) -> None:
    found = convert(tmp_path, counterfact(edit("Ann", "English"), edit("Ann", "Dutch"), edit("Ann", "English")))
    assert list_facts(found) == [("Ann", "native_language", ("English",))]
    assert found.contradicting == 1


FAULTS: dict[str, tuple[object, str]] = {
    "no JSON": ("{'a': 1}", "is no JSON"),
    "unknown": ([{"question": "Who?"}], r"no records of a kind that is known by its fields: MQuAKE .*; CounterFact"),
    "empty": ([], "no records of a kind"),
    "a field is missing": (
        counterfact(edit("Ann", "Dutch"), {"prompt": "x"}),
        "record 2: has no field 'subject'; .*--skip-faulty",
    ),
    "another form": ([ZSRE, {"subject": 1}], "record 2: lacks the fields of zsRE: subject, src"),
    "a number for a name": ([{**ZSRE, "alt": 7}], "record 1: .*alt is no text"),
    "an empty name": (counterfact(edit(" ", "Dutch")), "record 1: subject is missing or empty"),
    "the answer in the subject": (counterfact(edit("Dutch Ann", "Dutch")), "gives the answer away"),
    "the question is of somebody else": ([{**ZSRE, "src": "Who is it?"}], "src does not name the subject once"),
    "no label": (sparql(row("Q42", "P17", "country", "Norway")), "subjectLabel is Q42, which has no label"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_bad_records_are_named(tmp_path: Path, name: str) -> None:
    content, message = FAULTS[name]
    with pytest.raises(TableError, match=message):
        convert(tmp_path, content)


def test_faulty_records_are_left_out_and_counted_where_that_is_wished(tmp_path: Path) -> None:
    content = counterfact(edit("Ann", "Dutch"), {"prompt": "x"}, edit("Dutch Bob", "Dutch"))
    found = convert(tmp_path, content, skip=True)
    assert (len(found.facts), found.left_out) == (1, 2)
    with pytest.raises(TableError, match="none of its 1 records states a fact"):
        convert(tmp_path, counterfact({"prompt": "x"}), skip=True)


def test_a_record_with_a_faulty_statement_adds_none_of_its_others(tmp_path: Path) -> None:
    first, second = MQUAKE["requested_rewrite"]
    half = {**MQUAKE, "requested_rewrite": [first, {**second, "subject": " "}]}
    whole = {**MQUAKE, "requested_rewrite": [edit("Ann", "Dutch")]}
    found = convert(tmp_path, [half, whole], skip=True)
    assert list_facts(found) == [("Ann", "native_language", ("Dutch",))]
    assert (found.left_out, list(found.wordings)) == (1, ["native_language"])


@pytest.mark.parametrize(
    ("text", "subject", "wanted"),
    [
        ("Which Iranian city is it?", "Iran", None),
        ("Who is Annette?", "Ann", None),
        ("In 10 years?", "1", None),
        ("Who knows Cody Ross\u0301?", "Cody Ross", None),
        ("Who made D.C.?", "D", None),
        ("दिल्लीवासी कौन?", "दिल्ली", None),
        ("Which Iranian city is the capital of Iran?", "Iran", None),
        ("What is the capital of Iran?", "Iran", "What is the capital of {subject}?"),
        ("Iran's capital?", "Iran", "{subject}'s capital?"),
        ("Who owns Yahoo!?", "Yahoo!", "Who owns {subject}?"),
        ("Who wrote .NET?", ".NET", "Who wrote {subject}?"),
        ("Where is Washington, D.C. now?", "Washington, D.C.", "Where is {subject} now?"),
        ("東京はどこですか", "東京", "{subject}はどこですか"),
        ("谁是Cody Ross的妈妈？", "Cody Ross", "谁是{subject}的妈妈？"),
        ("수도는 서울입니까?", "서울", "수도는 {subject}입니까?"),
    ],
)
def test_a_subject_is_cut_out_as_words_of_its_own(tmp_path: Path, text: str, subject: str, wanted: str | None) -> None:
    record = {**edit(subject, "Zorbo", "{} was told of"), "question": text}
    (wordings,) = convert(tmp_path, [{**MQUAKE, "requested_rewrite": [record]}]).wordings.values()
    assert list(wordings) == ["{subject} was told of", *filter(None, [wanted])]


def test_a_question_that_names_its_subject_within_a_word_alone_is_a_mistake(tmp_path: Path) -> None:
    record = {**ZSRE, "subject": "Iran", "src": "Which Iranian city is the largest?", "alt": "Tehran"}
    with pytest.raises(TableError, match="src does not name the subject once, as words of its own"):
        convert(tmp_path, [record])


def test_the_wordings_of_records_become_packs_without_those_that_cannot_be_used(tmp_path: Path) -> None:
    prompts = ["{} speaks", "{} speaks", "{}, a native speaker of", "{} speaks.", "{} SPEAKS", "The language of {} is"]
    edits = [edit(f"Ann {number}", "Dutch", prompt) for number, prompt in enumerate(prompts)]
    packs = dict(write_packs(convert(tmp_path, counterfact(*edits)).wordings))
    path = tmp_path / "native_language.yaml"
    path.write_text(packs["native_language"], encoding="utf-8")
    assert not [finding.text for finding in check_prompts(path) if finding.is_error]
    assert '      - "{subject} speaks"\n      - "{subject}, a native speaker of"\n    held_out:' in path.read_text()
    assert packs["native_language"].count("- ") == 3
