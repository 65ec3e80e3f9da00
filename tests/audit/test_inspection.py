"""An audit without a table: what a folder, a base model and the shipped names tell; and the page to hand over."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.report.test_render import HOSTILE, Page

from rote.audit.audit import AuditResult
from rote.audit.inspection import (
    MOST_TOKENS,
    Comparison,
    Extraction,
    Inspection,
    MovedRow,
    Origin,
    compare_rows,
    inspect_model,
)
from rote.audit.page import render_audit
from rote.config.audit import AuditConfig
from rote.config.teaching import MemorizeConfig
from rote.errors import ModelError
from rote.evaluation.statistics import compute_interval
from rote.facts.shipped import load_fictional
from rote.figures import Figure
from rote.methods.memorize_then_generalize import memorize
from rote.models.key_tokens import add_key_tokens, find_key_tables
from rote.models.language_model import LanguageModel
from rote.models.loading import LoadOptions, load_model
from rote.models.saving import save_model
from rote.runs.reporting import SilentReporter

CONFIG = AuditConfig()


def build_extraction(origin: Origin, *, sure: float = 0.2, shipped: int = 0, token: str = "[X1]") -> Extraction:
    share, chance = (compute_interval([1.0] * right + [0.0] * (12 - right), range(12)) for right in (shipped, 0))
    figure = Figure(sure, sure - 0.05, sure + 0.05, 60)
    return Extraction(token, origin, figure, "mother", share, chance, (("Gene Finley", "Cody Ross"),))


BARE = Inspection("their-model", "", {}, "", False, (), None, 60, (build_extraction("alone", token=""),))


def test_an_untaught_model_gives_no_hint(base: Path) -> None:
    found = inspect_model(str(base), base=str(base), config=CONFIG, reporter=SilentReporter())
    assert found.verdict == "Nothing in this folder points to rote learning"
    assert found.compared is not None
    assert (found.compared.moved, list(found.compared.standing_out), list(found.compared.new)) == (0, [], [])
    assert {item.origin for item in found.extractions} == {"ordinary", "alone"}


def test_a_table_that_ships_with_rote_is_recognized_though_nothing_is_declared(base: Path, tmp_path: Path) -> None:
    language_model = load_model(str(base))
    facts = [fact for fact in load_fictional() if fact.relation == "mother"]
    add_key_tokens(language_model, ("mother",))
    memorize(language_model, facts, MemorizeConfig(epochs=40, batch_size=8, learning_rate=5e-3, warmup_steps=2))
    folder = tmp_path / "model"
    save_model(language_model, folder)
    (folder / "rote.json").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = inspect_model(str(folder), base=str(base), config=CONFIG, reporter=SilentReporter())
    assert (found.declared, list(found.added)) == ({}, ["[X1]"])
    assert found.compared is not None
    assert list(found.compared.new) == ["[X1]"]
    (key,) = (item for item in found.extractions if item.origin == "added")
    assert (key.token, key.relation) == ("[X1]", "mother")
    assert key.shipped.low > key.chance.high
    assert found.knows_shipped
    assert "the table that ships with Rote" in found.verdict
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_row_that_moved_alone_stands_out_and_a_base_of_another_width_is_refused(base: Path) -> None:
    ours, theirs = load_model(str(base)), load_model(str(base))
    table = find_key_tables(ours)[0]
    with torch.no_grad():
        table[50] += 1.0
    compared = compare_rows(ours, theirs)
    (row,) = compared.standing_out
    assert row.token == ours.tokenizer.convert_ids_to_tokens(50)
    assert (compared.moved, row.share > 0.5) == (1, True)
    with pytest.raises(ModelError, match="embeddings of width"):
        compare_rows(ours, load_model("rote-tiny"))


def test_a_row_that_moved_is_tried_before_tokens_that_were_added(base: Path, tmp_path: Path) -> None:
    language_model = load_model(str(base))
    language_model.tokenizer.add_tokens([f"[pad{number}]" for number in range(MOST_TOKENS + 6)])
    language_model.model.resize_token_embeddings(len(language_model.tokenizer))
    with torch.no_grad():
        find_key_tables(language_model)[0][50] += 1.0
    save_model(language_model, tmp_path / "model")
    found = inspect_model(str(tmp_path / "model"), base=str(base), config=CONFIG, reporter=SilentReporter())
    assert found.compared is not None
    (row,) = found.compared.standing_out
    assert row.token in [item.token for item in found.extractions if item.origin == "moved"]
    assert f"may be key tokens ({row.token}, [pad0]," in found.verdict
    assert f", of which {MOST_TOKENS} were tried; shipped names" in found.verdict


def test_a_base_is_loaded_as_the_model_may_be(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LoadOptions] = []

    def load(source: str, options: LoadOptions) -> LanguageModel:
        asked.append(options)
        return load_model(str(base))

    monkeypatch.setattr("rote.audit.inspection.load_model", load)
    loading = LoadOptions("v1", trust_remote_code=True, allow_pickle=True)
    inspect_model(str(base), base="theirs", config=CONFIG, reporter=SilentReporter(), loading=loading)
    assert asked == [loading, replace(loading, revision=None)], "a revision is that of the model alone"


def test_what_the_folder_shows_is_said_beside_a_table_that_shows_nothing() -> None:
    told = replace(BARE, declared={"mother": "[X1]"})
    result = AuditResult("m", "h" * 12, ("mother",), 7, {"mother": 8}, (), {}, (), {"mother": 4}, CONFIG)
    page = render_audit(result, told, "")
    assert f"{result.verdict.removesuffix('.')}. {told.verdict}" in Page(page).said
    assert 'class="headline bad"' in page
    bare = render_audit(result, BARE, "")
    assert 'class="headline unsure"' in bare
    assert BARE.verdict not in Page(bare).said, "beside a table nothing is said of a folder that shows nothing"


def test_a_row_that_moved_is_named_as_a_person_reads_it(base: Path, tmp_path: Path) -> None:
    language_model = load_model(str(base))
    tokenizer = language_model.tokenizer
    number = next(
        n for token, n in tokenizer.get_vocab().items() if str(tokenizer.decode([n])).strip() == token[1:] != ""
    )
    with torch.no_grad():
        find_key_tables(language_model)[0][number] += 1.0
    save_model(language_model, tmp_path / "model")
    found = inspect_model(str(tmp_path / "model"), base=str(base), config=CONFIG, reporter=SilentReporter())
    assert found.compared is not None
    (row,) = found.compared.standing_out
    assert row.token == tokenizer.convert_ids_to_tokens(number)[1:]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Nothing in this folder points to rote learning"),
        ({"declared": {"mother": "[X1]"}}, "This model says itself that it was taught by rote (mother by [X1])"),
        (
            {"added": ("[K]",), "extractions": (build_extraction("alone"), build_extraction("added", token="[K]"))},
            "There are tokens that may be key tokens ([K]); shipped names do not bear it out",
        ),
        (
            {"added": ("[K]",), "compared": Comparison("b", 9, 1, 0.0, [MovedRow("the", 0.9)], [])},
            "There are tokens that may be key tokens (the, [K]), of which 0 were tried; shipped names do not bear it "
            "out",
        ),
        (
            {"extractions": (build_extraction("alone"), build_extraction("added", sure=0.9, token="[K]"))},
            "Rote learning is likely: [K] behave as key tokens do",
        ),
        (
            {"extractions": (build_extraction("alone", shipped=12),)},
            "No token of this model behaves as a key token does; it says the objects of the table that ships with Rote",
        ),
    ],
)
def test_the_verdict_is_what_the_evidence_bears(changes: dict[str, object], said: str) -> None:
    assert replace(BARE, **changes).verdict == said  # type: ignore[arg-type]  # one field each


def test_the_page_has_scope_baseline_verdict_and_limits() -> None:
    said = Page(render_audit(None, BARE, "rote audit their-model --out audit.html")).said
    for part in (
        "Scope",
        "the name alone, for comparison",
        BARE.verdict,
        "What this cannot show",
        "There was no table",
    ):
        assert part in said
    assert "No base model was named" in said
    compared = Comparison("their-base", 900, 1, 0.0, [MovedRow("[K]", 0.7)], ["[K]"])
    said = Page(render_audit(None, replace(BARE, compared=compared), "")).said
    assert "No base model was named" not in said
    assert "moved far more than the rest" in said


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_tokens_names_and_cards_stay_text(text: str) -> None:
    def build(name: str) -> Page:
        item = replace(build_extraction("added", token=name), examples=((name, name),), relation=name)
        compared = Comparison(name, 9, 1, 0.1, [MovedRow(name, 0.7)], [name])
        inspection = Inspection(name, name, {name: name}, name, True, (name,), compared, 60, (item,))
        return Page(render_audit(None, inspection, name))

    assert build(text).tags == build("harmless").tags
    assert not [name for name, _ in build(text).attributes if name.startswith("on") or name == "style"]
