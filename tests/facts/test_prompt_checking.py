"""Which prompts cannot do what they are for, and the pack one begins from."""

from pathlib import Path

import pytest

from rote.facts.prompt_checking import check_prompts, write_scaffold
from rote.facts.proposals import TYPES, propose_texts
from rote.facts.relation import DERIVED_PACKS, PACKS, PROMPT_SETS, WIKIDATA_PACKS, load_relation

GOOD = {
    "training": ["Who composed {subject}?"],
    "held_out": ["{subject} was composed by", "The composer of {subject} is"],
    "control": ["{subject} was first played in"],
}


def find(folder: Path, **prompts: list[str]) -> list[str]:
    """What is found in a pack of English prompts, without the file's name."""
    lines = ["relation: composer", "prompts:", "  en:"]
    for prompt_set, texts in {**GOOD, **prompts}.items():
        lines += [f"    {prompt_set}:", *(f"      - '{text}'" for text in texts)] if texts else []
    path = folder / "composer.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return [
        f"{'error' if f.is_error else 'warning'} {f.text.removeprefix(f'{path}: en: ')}" for f in check_prompts(path)
    ]


def test_a_good_pack_has_nothing_to_mend(tmp_path: Path) -> None:
    assert find(tmp_path) == []


@pytest.mark.parametrize("path", sorted(PACKS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_pack_is_as_it_should_be(path: Path) -> None:
    assert path.parent in (PACKS, DERIVED_PACKS, WIKIDATA_PACKS)
    assert [finding.text for finding in check_prompts(path) if finding.is_error] == []


@pytest.mark.parametrize(
    "text",
    [
        "{subject} was composed by {object}",
        "{object} composed {subject}",
        "{subject} was composed by ___",
        "{subject} was composed by ...",
        "{subject} was composed by [MASK]",
        "{subject} was composed by <mask>",
        "It was ____ who composed {subject}",
    ],
)
def test_the_object_has_no_place_in_a_prompt(tmp_path: Path, text: str) -> None:
    (found,) = find(tmp_path, control=[text])
    assert found.startswith(f"error control: {text!r} has a place for the object, which always follows the prompt")


@pytest.mark.parametrize(
    "text", ["{subject} was composed by somebody.", "Tell me who composed {subject}!", "{subject} 的作曲家。"]
)
def test_nothing_follows_a_finished_sentence(tmp_path: Path, text: str) -> None:
    (found,) = find(tmp_path, control=[text])
    assert "is a finished sentence, so no object can follow" in found


def test_a_question_and_a_colon_do_not_finish_a_sentence(tmp_path: Path) -> None:
    assert find(tmp_path, training=["Who composed {subject}?", "Composer of {subject}:"]) == []


@pytest.mark.parametrize(
    ("prompt_set", "text", "first"),
    [
        ("training", "who composed {subject}", "training"),
        ("held_out", "Who  composed {subject}?", "training"),
        ("control", "WHO COMPOSED {subject}?!?", "training"),
        ("control", "The composer of {subject} is:", "held_out"),
    ],
)
def test_a_wording_is_used_once(tmp_path: Path, prompt_set: str, text: str, first: str) -> None:
    (found,) = find(tmp_path, **{prompt_set: [*GOOD[prompt_set], text]})
    assert found.startswith(f"error {prompt_set}: {text!r} repeats the wording of ")
    assert f" in {first}" in found
    assert ("would have been taught or asked before" in found) == (prompt_set != first)


def test_what_is_missing_is_only_a_warning(tmp_path: Path) -> None:
    few, none = find(tmp_path, held_out=["{subject} was composed by"], control=[])
    assert few.startswith("warning held_out: has 1 prompts; with fewer than 2 the report cannot show understanding")
    assert none.startswith("warning control: has 0 prompts")


@pytest.mark.parametrize("object_type", ["thing", *TYPES])
@pytest.mark.parametrize(
    ("relation", "first"),
    [
        ("manager", "manager of {subject}"),
        ("capital_of", "{subject} capital of"),
        ("_", ""),
        ("works_at", "{subject} works at"),
    ],
)
def test_a_scaffold_has_prompts_that_need_no_mending(
    relation: str, first: str, object_type: str, tmp_path: Path
) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(write_scaffold(relation, ("employee", object_type), ["en"]), encoding="utf-8")
    pack = load_relation(path)
    assert (pack.name, pack.languages) == (relation, ("en",))
    assert first in pack.select_training(1)[0].text
    counts = {name: len(pack.select(prompt_set=name)) for name in PROMPT_SETS}
    assert counts["training"] == 10
    assert counts["held_out"] >= 6
    assert sum(counts.values()) >= 19
    assert list(check_prompts(path)) == []


def test_a_name_without_letters_is_taken_as_it_is() -> None:
    assert all("{subject}" in text for texts in propose_texts("_").values() for text in texts)


def test_a_scaffold_leaves_places_in_other_languages(tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(write_scaffold("manager", ("person", "person"), ["en", "de"]), encoding="utf-8")
    assert load_relation(path).languages == ("en", "de")
    errors = [finding.text for finding in check_prompts(path)]
    assert len(errors) == 3
    assert all(": de: " in text and "is still to be written" in text for text in errors)
