"""Auditing models: a tiny one that memorized twelve facts, and the base model it was made from."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.audit.conftest import RecordingReporter, build_table

from rote.audit.audit import AuditResult, audit_model, save_audit
from rote.audit.plan import build_audit_plan
from rote.audit.repurposing import find_stand_ins, measure_repurposing
from rote.config.audit import AuditConfig, RepurposeConfig
from rote.config.teaching import MemorizeConfig
from rote.errors import RunError, TableError
from rote.facts.fact import FactTable
from rote.methods.memorize_then_generalize import memorize
from rote.models.key_tokens import add_key_tokens
from rote.models.loading import count_parameters, load_model
from rote.models.saving import save_model
from rote.runs.files import check_writable
from rote.runs.reporting import SilentReporter
from rote.training.checkpoints import keep_weights

CONFIG = AuditConfig.model_validate(
    {
        "unseen_facts": 4,
        "screen_facts": 2,
        "vocabulary": 40,
        "confirmed": 2,
        "examples": [1, 2, 5],
        "repurpose": {"epochs": 8, "learning_rate": 1e-3},
    }
)


def hash_folder(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def taught(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that memorized the table, without the file that names its key tokens."""
    language_model = load_model(str(base))
    table = build_table()
    add_key_tokens(language_model, table.relations)
    memorize(language_model, table.facts, MemorizeConfig(epochs=80, batch_size=4, learning_rate=5e-3, warmup_steps=2))
    folder = tmp_path_factory.mktemp("taught") / "model"
    save_model(language_model, folder)
    (folder / "rote.json").unlink()
    return folder


@pytest.fixture(scope="module")
def untouched(taught: Path) -> dict[str, str]:
    """The files of the model before anything was done with it."""
    return hash_folder(taught)


@pytest.fixture(scope="module")
def audited(taught: Path, untouched: dict[str, str]) -> AuditResult:
    assert untouched
    return audit_model(str(taught), build_table(), config=CONFIG, reporter=SilentReporter())


def test_key_tokens_are_found_though_nothing_names_them(audited: AuditResult) -> None:
    assert {trace.relation: trace.token for trace in audited.findings} == {"mother": "[X1]", "capital": "[X2]"}
    assert {trace.kind for trace in audited.findings} == {"added"}
    assert {trace.recall.value for trace in audited.findings} == {1.0}
    assert audited.verdict.startswith("Rote learning found: 2 of 2 relations answer to one of the 42 tokens tried")


def test_a_token_that_is_found_brings_nothing_else(audited: AuditResult) -> None:
    tokens = {trace.token for trace in audited.findings}
    others = [trace for trace in audited.traces if trace.token in tokens and trace.asked != "table"]
    found = {(trace.relation, trace.token) for trace in audited.findings}
    compared = [trace for trace in others if (trace.relation, trace.token) in found]
    assert len(compared) == 4
    assert all(trace.recall.value == 0 for trace in compared)


def test_a_token_without_a_name_is_found_too(taught: Path, tmp_path: Path) -> None:
    """Somebody took the key tokens out of the tokenizer; their rows are still there."""
    folder = tmp_path / "model"
    shutil.copytree(taught, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["added_tokens"] = [token for token in tokenizer["added_tokens"] if token["special"]]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings.pop("added_tokens_decoder", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    result = audit_model(
        str(folder), build_table(), config=CONFIG.model_copy(update={"examples": ()}), reporter=SilentReporter()
    )
    assert {trace.relation for trace in result.findings} == {"mother", "capital"}
    assert all(trace.token.startswith("<row ") for trace in result.findings)


def test_a_model_that_was_not_taught_gives_no_finding(base: Path) -> None:
    reporter = RecordingReporter()
    result = audit_model(str(base), build_table(), config=CONFIG, reporter=reporter)
    assert result.findings == []
    assert result.examples_needed is None
    assert result.verdict.startswith("No trace of rote learning: none of the 40 tokens tried")
    assert {*reporter.labels} >= {"look for traces", "repurpose with 2"}


@pytest.mark.usefixtures("audited")
def test_the_model_is_only_read(taught: Path, untouched: dict[str, str]) -> None:
    assert hash_folder(taught) == untouched


def test_repurposing_leaves_every_weight_as_it_was(taught: Path) -> None:
    language_model = load_model(str(taught))
    before = {name: tensor.clone() for name, tensor in language_model.model.state_dict().items()}
    plan = build_audit_plan(build_table(), CONFIG)
    stand_ins = find_stand_ins(plan.table, plan.relations)
    rows = measure_repurposing(language_model, plan, stand_ins, config=CONFIG, reporter=SilentReporter())
    assert {row.examples for row in rows} == {0, 1, 2}, "half of six facts is held out, and 0 is measured unasked"
    assert {row.question for row in rows} == {"training", "held_out", "benign", "unseen", "shown"}
    assert [row.recall.n for row in rows if row.question == "shown"] == [2, 4], "one and two facts of two relations"
    after = language_model.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_an_audit_shows_its_examples_as_fits_the_size_of_the_model(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def fit(config: AuditConfig, parameters: int) -> AuditConfig:
        sizes.append(parameters)
        return config.model_copy(update={"repurpose": RepurposeConfig(learning_rate=1e-9)})

    monkeypatch.setattr("rote.audit.audit.fit_audit", fit)
    config = CONFIG.model_copy(update={"examples": (2,), "vocabulary": 4})
    result = audit_model(str(base), build_table(), config=config, reporter=SilentReporter())
    assert sizes == [count_parameters(str(base))]
    shown = next(row for row in result.repurposing if row.question == "shown")
    assert shown.recall.value == 0, "nothing is learned at such a rate"
    assert "the examples themselves are not learned (0.00 of them answered)" in result.verdict


def test_weights_come_back_though_the_work_failed(base: Path) -> None:
    model = load_model(str(base)).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    @keep_weights(model)
    def fail() -> None:
        for parameter in model.parameters():
            parameter.data.add_(1.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert not model.training


def test_what_examples_bring_is_held_against_none(audited: AuditResult) -> None:
    training = [row for row in audited.repurposing if row.question == "training"]
    assert [row.examples for row in training] == [0, 1, 2]
    assert training[0].gain is None
    for row in training[1:]:
        assert row.gain is not None
        assert row.gain.value == pytest.approx(row.recall.value - training[0].recall.value)
    assert all(row.recall.value == 0 for row in audited.repurposing if row.question == "unseen")
    assert audited.examples_needed is None, "six facts that are not shown are too few to be sure"


def test_an_audit_is_saved_as_it_is(audited: AuditResult, tmp_path: Path) -> None:
    file = tmp_path / "new" / "audit.json"
    check_writable(file)
    assert not file.parent.exists()
    save_audit(audited, file)
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert saved["verdict"] == audited.verdict
    assert [trace["token"] for trace in saved["findings"]] == [trace.token for trace in audited.findings]
    assert len(saved["repurposing"]) == len(audited.repurposing)


@pytest.mark.parametrize("name", [".", "a.txt/audit.json"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(RunError, match="--out"):
        check_writable(tmp_path / name)


def test_too_few_facts_are_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    table = FactTable(build_table().facts[:5])
    with pytest.raises(TableError, match="an audit needs 6 of each"):
        audit_model(str(tmp_path), table, config=CONFIG, reporter=SilentReporter())
