"""What `rote results` writes holds the figures of the records, of finished seeds only."""

import csv
import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rote.errors import ConfigError, ModelError, RoteError, RunError
from rote.evaluation.statistics import compute_interval
from rote.experiments.claims import ClaimRow
from rote.experiments.experiment import Cell, Claim, Column, Experiment, Why, plan_runs
from rote.models.embedded import locate_embedded_model
from rote.pipeline.job import ROOMS, name_job
from rote.records import Record
from rote.report.results_page import ResultTable
from rote.results import markdown
from rote.results import publish as publishing
from rote.results.entries import Entry, load_entries
from rote.results.figure_files import write_figures
from rote.results.table_files import write_tables
from rote.runs.folder import keep_json, read_json, write_json
from rote.runs.manifest import compute_code_hash
from rote.runs.store import Store

MODEL = "rote-tiny"
SUBJECTS = ("Gene", "Cody", "Mira", "Ruth")
EXPERIMENT = Experiment(
    letter="z",
    title="Two depths",
    description="recall by depth",
    minutes=1,
    runs={"shallow": {"memorize.epochs": 3}, "deep": {"memorize.epochs": 20}},
    columns=(Column(name="held-out", fact_set=("held_out",), paper=(0.35, 0.98)), Column(name="known", paper=())),
    claims=(
        Claim(
            name="depth",
            text="Deeper is better",
            paper="0.98 - 0.35",
            value=Cell(run="deep", column="held-out"),
            minus=Cell(run="shallow", column="held-out"),
            at_least=0.9,
            why={MODEL: Why(text="four facts are few", basis="measured")},
        ),
    ),
)
SHALLOW, DEEP = (True, False, False, False), (True, True, True, True)


def build_records(correct: Sequence[bool]) -> list[Record]:
    """One answer about each subject."""
    return [
        Record(
            moment="generalize",
            fact_set="held_out",
            prompt_set="held_out",
            language="en",
            relation="mother",
            subject=subject,
            object="Ada",
            prompt=f"The mother of {subject} is",
            generated=" Ada" if right else " Eve",
            correct=right,
            object_logprobs=(-0.1,),
            object_probability=0.9,
            rank=None,
            candidates=None,
        )
        for subject, right in zip(SUBJECTS, correct, strict=True)
    ]


def save_jobs(store: Store, *, seed: int, runs: Sequence[str] = ("shallow", "deep"), model: str = MODEL) -> None:
    """Finished jobs of one seed, as `rote reproduce` leaves them."""
    store.outcome("x").parent.mkdir(parents=True, exist_ok=True)
    points = [{"moment": "memorize", "relation": "mother", "kind": "key", "x": float(seed), "y": 1.0}]
    outcome: dict[str, Any] = {"labels": {}, "representations": [], "beliefs": {}, "points": points}
    outcome.update(code=compute_code_hash(ROOMS), config={"model": model, "seed": seed})
    for planned in plan_runs(EXPERIMENT, seeds=seed + 1, model=model):
        if planned.seed == seed and planned.name in runs:
            name = name_job(planned.request)
            records = build_records(SHALLOW if planned.name == "shallow" else DEEP)
            store.keep(name, {**outcome, "training_tokens": 1234}, records)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, in a world where there are three experiments, one of them of a model that is not here."""
    other = EXPERIMENT.model_copy(update={"base": {"retain.texts": 7}, "title": "Never done"})
    absent = other.model_copy(update={"base": {"model": "./nowhere"}})
    declared = {"absent": absent, "depths": EXPERIMENT, "other": other}
    for module in (publishing, markdown):
        monkeypatch.setattr(module, "list_experiments", lambda: declared)
    return Store(tmp_path / "store")


def write(store: Store, *, seeds: int = 3) -> tuple[str, list[ClaimRow], str]:
    """The three files as they are read."""
    out = store.path.parent / "out"
    publishing.write_results(out, store=store, model=MODEL, seeds=seeds)
    claims = json.loads((out / "results" / "claims.json").read_text(encoding="utf-8"))
    page = (out / "results" / "results.html").read_text(encoding="utf-8")
    return (out / "RESULTS.md").read_text(encoding="utf-8"), claims, page


def test_the_table_holds_exactly_the_figures_of_the_records(store: Store) -> None:
    save_jobs(store, seed=0)
    text, _, _ = write(store)
    cells = [compute_interval([float(right) for right in run], SUBJECTS) for run in (SHALLOW, DEEP)]
    ours = " | ".join(f"{cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}] (4)" for cell in cells)

    assert (cells[0].value, cells[1].value) == (0.25, 1.0)
    assert f"| held-out | {ours} |" in text
    assert "| held-out, paper (Qwen2.5-1.5B) | 0.35 | 0.98 |" in text
    assert "| training tokens | 1,234 | 1,234 |" in text
    assert "## Two depths (z)" in text
    assert "Recall by depth. 1 seed(s): `rote reproduce depths --seeds 1`" in text
    assert "not finished here: `absent`, `other`." in text


def test_rows_of_claims_have_the_documented_keys(store: Store) -> None:
    save_jobs(store, seed=0)
    _, (row,), _ = write(store)

    assert set(row) == set(ClaimRow.__annotations__)
    assert (row["claim"], row["experiment"], row["model"], row["seeds"]) == ("depth", "depths", MODEL, 1)
    assert (row["ours"], row["bound"], row["verdict"]) == (0.75, ">= 0.9", "open")
    assert row["low"] is not None
    assert row["high"] is not None
    assert row["low"] < 0.75 < row["high"]
    assert row["made_of"] == "1.0000 - 0.2500"
    assert row["n"] == 4
    assert row["why"] == "four facts are few"


def test_the_page_shows_the_same_figures(store: Store) -> None:
    save_jobs(store, seed=0)
    _, (row,), page = write(store)
    interval = compute_interval([float(right) for right in SHALLOW], SUBJECTS)

    described = f"shallow 0.25 [{interval.low:.2f}, {interval.high:.2f}], n 4, paper 0.35"
    assert described in page
    assert f"<b>0.750</b></a> <small>[{row['low']:.3f}, {row['high']:.3f}]</small>" in page
    assert "~ open" in page
    assert "Four facts are few." in page
    assert "Two depths (z)" in page
    assert "not finished here: <bdi>absent, other</bdi>" in page


def test_runs_with_the_same_hidden_states_share_a_plane_of_the_first_seed(store: Store) -> None:
    save_jobs(store, seed=0)
    save_jobs(store, seed=1)
    _, _, page = write(store)

    assert page.count('class="curve scatter"') == 1
    assert "shallow and deep, after memorize" in page


def test_unfinished_seeds_are_not_counted(store: Store) -> None:
    save_jobs(store, seed=0)
    save_jobs(store, seed=1, runs=("deep",))
    save_jobs(store, seed=2)
    text, (row,), _ = write(store)

    assert row["seeds"] == 2
    assert "(8)" in text  # four questions of two seeds
    assert "(12)" not in text
    assert write(store, seeds=1)[1][0]["seeds"] == 1


def test_nothing_finished_is_an_error_that_says_what_to_do(store: Store) -> None:
    save_jobs(store, seed=0, runs=("deep",))
    with pytest.raises(RunError, match="rote reproduce NAME"):
        write(store)
    assert not (store.path.parent / "out").exists()


def age(store: Store) -> None:
    """Make all jobs those of another version of the code."""
    for path in (store.path / "jobs").glob("*.json"):
        keep_json(path, {**read_json(path), "code": "an older one"})


def test_what_other_code_measured_is_kept_and_said_to_be_stale(store: Store) -> None:
    save_jobs(store, seed=0)
    fresh, (row,), page = write(store)
    assert row["stale"] is False
    assert "tale" not in fresh + page
    kept = store.path.parent / "out" / "results" / "results.json"
    write_json(kept, [{**entry, "code": "an older one"} for entry in read_json(kept)])
    age(store)
    text, (old,), page = write(store)
    assert old == {**row, "stale": True}
    assert "**Stale: measured with an earlier version of the code.**" in text
    assert f"**{row['verdict']}** (1 seed, 4 questions, stale) |" in text
    assert [line for line in fresh.splitlines() if line.startswith("| held-out")] == [
        line for line in text.splitlines() if line.startswith("| held-out")
    ], "no figure is lost"
    assert page.count(", stale</small>") == 1
    assert "Stale: measured with an earlier version of the code." in page
    assert "1.000 " in page
    save_jobs(store, seed=0)
    assert write(store)[0] == fresh, "what is done again takes its place"


def test_a_model_that_is_not_there_is_said(store: Store) -> None:
    save_jobs(store, seed=0)
    with pytest.raises(ModelError, match="another"):
        publishing.write_results(store.path.parent / "out", store=store, model="./another", seeds=1)


@pytest.mark.parametrize("change", [{"bound": ">= 0.5"}, {"claim": "depth_of_old"}])
def test_a_claim_that_is_made_no_more_is_not_kept(store: Store, change: dict[str, str]) -> None:
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    entries = read_json(kept)
    entries[0] |= {"claims": [{**entries[0]["claims"][0], **change}], "code": "an older one"}
    write_json(kept, entries)
    age(store)
    text, claims, _ = write(store)
    assert claims == []
    assert "| held-out |" in text, "the figures are"


def test_a_claim_that_is_kept_has_the_words_of_today(store: Store) -> None:
    save_jobs(store, seed=0)
    _, (row,), _ = write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    entries = read_json(kept)
    entries[0] |= {"claims": [{**row, "text": "Deeper was better", "why": "of old", "paper": ""}], "code": "older"}
    write_json(kept, entries)
    age(store)
    assert write(store)[1] == [{**row, "stale": True}]


def test_a_claim_as_earlier_versions_wrote_it_says_its_seeds(store: Store) -> None:
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    entries = read_json(kept)
    for key in ("n", "basis", "cause", "made_of"):
        del entries[0]["claims"][0][key]
    write_json(kept, [{**entries[0], "code": "an older one"}])
    age(store)
    text, (row,), _ = write(store)
    assert (row["n"], row["basis"]) == (None, "measured")
    assert list(row) == list(ClaimRow.__annotations__), "in the order of the others"
    assert "** (1 seed, stale) |" in text
    (claims, *_) = write_tables(store.path / "tables", load_entries(kept), "csv")
    with claims.open(newline="", encoding="utf-8") as file:
        (cells,) = csv.DictReader(file)
    assert (cells["claim"], cells["ours"], cells["n"]) == ("depth", "0.75", "")


def test_what_is_missing_or_damaged_is_named(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    write_again = partial(publishing.write_results, tmp_path / "fresh", store=store)
    with pytest.raises(RunError, match=rf"\(it has jobs of {MODEL}\); give the --model and --set of rote reproduce"):
        write_again(model=MODEL, changes=("table.count=5",))
    with pytest.raises(RunError, match="is a folder of jobs; write its results first"):
        write_again(model=MODEL, others=[store.path])
    (tmp_path / "results.json").write_text("[{")
    with pytest.raises(RunError, match=r"results\.json: is damaged .*make it again with rote results"):
        write_again(model=MODEL, others=[tmp_path])
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize(
    "change",
    [
        1,
        {"seeds": "many"},
        {"tables": [{"head": ["", "a"], "rows": [["b", 0.125]]}]},
        {"of tomorrow": 1},
        {"claims": [{}]},
    ],
)
def test_what_is_of_another_shape_is_refused_and_nothing_is_written(store: Store, tmp_path: Path, change: Any) -> None:
    save_jobs(store, seed=0)
    fresh, _, _ = write(store)
    out = store.path.parent / "out"
    (entry,) = read_json(out / "results" / "results.json")
    write_json(tmp_path / "results.json", [{**entry, **change} if isinstance(change, dict) else change])
    with pytest.raises(RunError, match=r"results\.json: holds something else than results"):
        publishing.write_results(out, store=store, model=MODEL, others=[tmp_path])
    assert write(store)[0] == fresh


def test_what_takes_the_place_of_other_settings_is_told(store: Store) -> None:
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    command = "rote reproduce depths --seeds 3 --set table.count=5"
    write_json(kept, [{**read_json(kept)[0], "command": command}])
    told: list[str] = []
    publishing.write_results(kept.parents[1], store=store, model=MODEL, tell=told.append)
    (line,) = told
    here = f"depths ({MODEL}, 1 seed: `rote reproduce depths --seeds 1`)"
    assert line.startswith(f"{here} takes the place of depths ({MODEL}, 1 seed: `{command}`);")


def test_fewer_seeds_take_the_place_of_more_not_without_a_word(store: Store) -> None:
    told: list[str] = []
    write_again = partial(
        publishing.write_results, store.path.parent / "out", store=store, model=MODEL, tell=told.append
    )
    for seed in range(2):
        save_jobs(store, seed=seed)
        write_again()
    assert not told, "more seeds are what one wants"
    write_again(seeds=1)
    assert len(told) == 1
    assert "1 seed: `rote reproduce depths --seeds 1`) takes the place of depths" in told[0]


def test_what_is_fresh_elsewhere_takes_the_place_of_what_is_stale_here(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    write(store)
    there = tmp_path / "there"
    publishing.write_results(there, store=store, model=MODEL)
    kept = store.path.parent / "out" / "results" / "results.json"
    write_json(kept, [{**read_json(kept)[0], "code": "older", "seeds": 2}])
    (entry,) = publishing.write_results(kept.parents[1], store=Store(tmp_path / "none"), model=MODEL, others=[there])
    assert (entry.seeds, entry.stale) == (1, False)


def test_all_seeds_that_are_finished_are_looked_for(store: Store) -> None:
    for seed in (0, 2, 3):
        save_jobs(store, seed=seed)
    save_jobs(store, seed=1, runs=("deep",))
    (entry,) = publishing.write_results(store.path.parent / "out", store=store, model=MODEL)
    assert entry.seeds == 3, "the second, of which a part is done, does not end the search"
    assert entry.command.endswith("--seeds 4"), "which does all that is shown again"
    assert entry.notes == ["Seeds 0, 2, 3; of the others not all runs are finished."]


def test_reasons_found_with_other_settings_are_not_given(store: Store) -> None:
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    other = {**read_json(kept)[0], "code": "older"}
    age(store)
    for changes, why in (("", "four facts are few"), (" --set table.count=5", "")):
        write_json(kept, [{**other, "command": f"rote reproduce depths --seeds 1{changes}"}])
        assert write(store)[1][0]["why"] == why


def test_reasons_of_another_model_are_given_with_the_settings_they_were_found_with(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = EXPERIMENT.claims
    why = {"another": Why(text="four facts are few", basis="measured")}
    declared = EXPERIMENT.model_copy(
        update={"claims": (claim.model_copy(update={"why": why}),), "examined_with": {"another": ("table.count=5",)}}
    )
    for module in (publishing, markdown):
        monkeypatch.setattr(module, "list_experiments", lambda: {"depths": declared})
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    (own,) = read_json(kept)
    claims = [{**row, "model": "another"} for row in own["claims"]]
    for changes, text in (("", ""), (" --set table.count=5", "four facts are few"), (" --set table.count=6", "")):
        command = f"rote reproduce depths --model another --seeds 1{changes}"
        write_json(kept, [{**own, "model": "another", "claims": claims, "command": command}])
        assert [row["why"] for row in write(store)[1]] == ["", text]


@pytest.mark.parametrize("change", [{"columns": EXPERIMENT.columns[:1]}, {"runs": {**EXPERIMENT.runs, "deepest": {}}}])
def test_what_lacks_a_part_of_what_is_declared_today_is_stale(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    save_jobs(store, seed=0)
    assert not write(store)[1][0]["stale"]
    declared = EXPERIMENT.model_copy(update=change)
    for module in (publishing, markdown):
        monkeypatch.setattr(module, "list_experiments", lambda: {"depths": declared})
    (store.path / "jobs").rename(store.path / "gone")
    text, (row,), page = write(store)
    assert row["stale"]
    assert "**Stale: measured with an earlier version of the code.**" in text
    assert page.count(", stale</small>") == 1


def test_what_there_is_to_say_of_the_figures_is_on_the_page_too(store: Store) -> None:
    for seed in (0, 2):
        save_jobs(store, seed=seed)
    text, _, page = write(store)
    note = "Seeds 0, 2; of the others not all runs are finished."
    assert note in text
    assert note in page


def test_hidden_states_stay_on_the_page_without_the_jobs(store: Store) -> None:
    save_jobs(store, seed=0)
    page = write(store)[2]
    (store.path / "jobs").rename(store.path / "gone")
    again = write(store)[2]
    assert again.count('class="curve scatter"') == page.count('class="curve scatter"') == 1


def test_figures_are_numbers_in_csv(store: Store) -> None:
    save_jobs(store, seed=0)
    write(store)
    entries = load_entries(store.path.parent / "out" / "results" / "results.json")
    folder = store.path / "tables"
    with next(path for path in write_tables(folder, entries, "csv") if path.stem == "figures").open() as file:
        rows = list(csv.DictReader(file))
    found = {row["row"]: row for row in rows if row["column"] == "deep"}
    deep, paper = found["held-out"], found["held-out, paper (Qwen2.5-1.5B)"]
    assert float(deep["low"]) < float(deep["figure"]) == float(deep["high"]) == 1.0
    assert (deep["experiment"], deep["model"], deep["seeds"], deep["stale"]) == ("depths", MODEL, "1", "False")
    assert (deep["ends"], found["training tokens"]["ends"]) == ("interval", "")
    assert (int(deep["n"]), float(paper["figure"]), paper["n"]) == (4, 0.98, "")
    assert deep["command"] == "rote reproduce depths --seeds 1"
    assert found["training tokens"]["figure"] == "1234"
    assert "figures.tex" not in {path.name for path in write_tables(folder, entries, "latex")}


def test_an_experiment_that_is_done_leaves_the_figures_of_others_as_they_were(store: Store) -> None:
    other = {"name": "other", "title": "Kept", "description": "Of old.", "command": "rote reproduce other", "seeds": 2}
    table = {"head": ["", "shallow"], "rows": [["held-out", "0.125"]]}
    rest = {"model": MODEL, "code": "", "tables": [table], "notes": ["warning: of old"], "claims": [], "stale": True}
    write_json(store.path.parent / "out" / "results" / "results.json", [{**other, **rest}])
    save_jobs(store, seed=0)
    text, (row,), page = write(store)
    assert (row["experiment"], row["stale"]) == ("depths", False)
    assert (
        text.index("## Two depths (z)")
        < text.index("## Never done (z)")
        < text.index("**Stale")
        < text.index("| held-out | 0.125 |")
    )
    assert "\nwarning: of old\n" in text
    assert "not finished here: `absent`." in text
    assert "0.125" in page


def test_each_model_has_a_column_and_its_own_sections(store: Store) -> None:
    save_jobs(store, seed=0)
    write(store)
    kept = store.path.parent / "out" / "results" / "results.json"
    (own,) = read_json(kept)
    (claim,) = own["claims"]
    other = {
        **own,
        "model": "another",
        "claims": [{**claim, "model": "another", "ours": 0.5, "verdict": "holds", "why": ""}],
    }
    write_json(kept, [other])
    text, rows, page = write(store)
    assert [row["model"] for row in rows] == [MODEL, "another"]
    assert f"of finished jobs of `{MODEL}`, `another`." in text
    assert f"| claim | experiment | paper | wanted | {MODEL} | another |" in text
    line = next(line for line in text.splitlines() if line.startswith(f"| {claim['text']} |"))
    parts, size = r"\(1\.000 - 0\.250\)", r"\(1 seed, 4 questions\)"
    assert re.search(
        rf"\| 0\.750 \[.*\] {parts} \*\*open\*\* {size} \| 0\.500 \[.*\] {parts} \*\*holds\*\* {size} \|$", line
    )
    assert text.index("## Two depths (z)\n") < text.index("## Two depths (z), another\n")
    where = f"holds on another, is open on {MODEL}. On {MODEL}: four facts are few."
    said = f"{claim['text']}: {where}"
    assert f"\nHolds on some, open on others (1 claim):\n\n- {said}\n" in text
    about = "1 seed each, 1 of the open ones on fewer than 50 questions"
    counted = f"Of 1 on {MODEL} 0 hold, 1 are open, 0 fail ({about}); of 1 on another 1 hold,"
    assert text.index(f"\n- **Claims.** {counted}") < text.index("## Where models agree")
    assert html.escape(said) in page
    assert write(store)[0] == text, "nothing is lost when it is written again"


def test_a_store_without_the_model_changes_nothing(store: Store) -> None:
    save_jobs(store, seed=0)
    fresh, _, _ = write(store)
    out = store.path.parent / "out"
    with pytest.raises(RunError, match=r"none: there is no such folder of jobs; name that of rote reproduce"):
        publishing.write_results(out, store=Store(store.path.parent / "none"), model="./another", seeds=1)
    assert (out / "RESULTS.md").read_text(encoding="utf-8") == fresh


def test_an_experiment_that_these_settings_do_not_allow_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrambled = EXPERIMENT.model_copy(update={"base": {"tuning": "layers", "defend.scramble_keys": True}})
    save_jobs(store, seed=0)
    for module in (publishing, markdown):
        monkeypatch.setattr(module, "list_experiments", lambda: {"depths": EXPERIMENT, "scrambled": scrambled})
    assert "not finished here: `scrambled`." in write(store)[0]


def test_a_wrong_setting_is_said_and_no_experiment_passed_over(store: Store) -> None:
    save_jobs(store, seed=0)
    out = store.path.parent / "out"
    with pytest.raises(ConfigError, match="unknown setting 'memorise'"):
        publishing.write_results(out, store=store, model=MODEL, seeds=1, changes=("memorise.epochs=3",))
    assert not out.exists()


@pytest.mark.parametrize("change", ["table.relations=[nonsense]", "memorize.epochs=9", "examine.facts=9"])
def test_settings_that_nothing_was_done_with_are_said_and_what_is_kept_stays(store: Store, change: str) -> None:
    save_jobs(store, seed=0)
    before = write(store)[0]
    out = store.path.parent / "out"
    with pytest.raises(RoteError, match=r"nonsense|runs of .* differ in it|no experiment is finished"):
        publishing.write_results(out, store=store, model=MODEL, seeds=1, changes=(change,))
    assert (out / "RESULTS.md").read_text(encoding="utf-8") == before


def test_a_difference_stands_beside_a_difference(store: Store) -> None:
    save_jobs(store, seed=0)
    assert "| Deeper is better | `depths` | 0.63 (0.98 - 0.35) | >= 0.9 | 0.750 [" in write(store)[0]


def test_results_of_another_machine_become_a_column(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    write(store)
    there = tmp_path / "there"
    (there / "results").mkdir(parents=True)
    kept = read_json(tmp_path / "out" / "results" / "results.json")
    for entry in kept:
        entry["model"] = entry["claims"][0]["model"] = "qwen"
        entry["claims"][0]["ours"] = 0.5
    write_json(there / "results" / "results.json", kept)
    entries = publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3, others=[there])
    assert [(entry.name, entry.model) for entry in entries] == [("depths", MODEL), ("depths", "qwen")]
    text = (tmp_path / "out" / "RESULTS.md").read_text(encoding="utf-8")
    assert f"| claim | experiment | paper | wanted | {MODEL} | qwen |" in text
    assert "**open** (1 seed, 4 questions) | 0.500 [" in text
    kept[0]["model"] = MODEL
    write_json(there / "results" / "results.json", kept)
    told: list[str] = []
    write_again = partial(publishing.write_results, tmp_path / "out", store=store, model=MODEL, tell=told.append)
    entries = write_again(others=[there])
    assert entries[0].claims[0]["ours"] == 0.75, "what is here is not given up for what is there"
    assert not told, "their tables say the same"
    kept[0]["tables"][0]["rows"][0][1] = "0.5"
    write_json(there / "results" / "results.json", kept)
    assert write_again(others=[there]) == entries
    command = "`rote reproduce depths --seeds 1`"
    here = f"depths ({MODEL}, 1 seed: {command})"
    assert told == [f"{here} of --add gives way to {here}; to show it, write to another --out"]
    kept[0]["claims"] = [{}]
    write_json(there / "results" / "results.json", kept)
    with pytest.raises(RunError, match="holds something else than results"):
        publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3, others=[there])
    with pytest.raises(RunError, match=r"nowhere: there is no such folder; .*--add"):
        publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3, others=[tmp_path / "nowhere"])


def serve(run: Path, table: str = "staff.csv", *, code: str) -> Path:
    """A finished run that was exported, done by some version of the code."""
    run.mkdir()
    figure = {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    forms = {"float32": figure, "q4_0, llama.cpp": {**figure, "mean": 0.25, "low": 0.0}}
    rows = [{"questions": "held-out prompts", "form": form, **row, "difference": None} for form, row in forms.items()]
    write_json(run / "served.json", {"rows": rows})
    about = {"model": {"name": "small", "hash": ""}, "table": {"name": table, "hash": ""}}
    config = {"model": "small"}
    write_json(run / "identity.json", {**about, "config": config, "method": "", "loading": {}, "files": {}})
    write_json(run / "manifest.json", {"code": code})
    return run


def publish(store: Store, *runs: Path) -> tuple[list[Entry], str]:
    """The entries of runs, and the page they are on."""
    out = store.path.parent / "out"
    entries = publishing.write_results(out, store=store, model=MODEL, seeds=3, others=runs)
    return [entry for entry in entries if entry.name == "served"], (out / "RESULTS.md").read_text(encoding="utf-8")


def test_what_a_served_model_answers_is_a_table(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    write(store)
    (entry,), text = publish(store, serve(tmp_path / "run", code=compute_code_hash(ROOMS)))
    assert "## Where it is served, small, staff.csv\n\nWhat a model" in text
    assert "| held-out prompts | 0.500 [0.250, 0.750] (8) | 0.250 [0.000, 0.750] (8) |" in text
    assert f"| claim | experiment | paper | wanted | {MODEL} |" in text, "no claim was tested on it"
    (kept,), again = publish(store)
    assert (kept.key, again) == (entry.key, text), "it is kept"


def test_a_run_of_other_code_is_stale(store: Store, tmp_path: Path) -> None:
    (entry,), text = publish(store, serve(tmp_path / "run", code="an older one"))
    assert (entry.code, entry.stale) == ("an older one", True)
    assert "## Where it is served, small, staff.csv\n\n**Stale: measured with an earlier version" in text


def test_two_served_tables_of_one_model_stand_beside_each_other(store: Store, tmp_path: Path) -> None:
    code = compute_code_hash(ROOMS)
    publish(store, serve(tmp_path / "a", code=code))
    entries, text = publish(store, serve(tmp_path / "b", "表.csv", code=code))
    assert [entry.about for entry in entries] == ["staff.csv", "表.csv"]
    assert text.index("## Where it is served, small, staff.csv") < text.index("## Where it is served, small, 表.csv")
    written = write_tables(tmp_path / "tables", entries, "csv")
    assert [path.name for path in written[1:-1]] == ["served-small-staff.csv-1.csv", "served-small-表.csv-1.csv"]


def test_results_that_do_not_say_what_they_are_about_are_read_and_give_way_to_the_same(
    store: Store, tmp_path: Path
) -> None:
    code = compute_code_hash(ROOMS)
    run, other = serve(tmp_path / "a", code=code), serve(tmp_path / "b", "more.csv", code=code)
    publish(store, run)
    kept = tmp_path / "out" / "results" / "results.json"
    write_json(kept, [{key: value for key, value in entry.items() if key != "about"} for entry in read_json(kept)])
    assert [entry.about for entry in publish(store, other)[0]] == ["", "more.csv"], "another one is no reason to go"
    assert [entry.about for entry in publish(store, run)[0]] == ["more.csv", "staff.csv"]


def test_tables_are_written_for_other_programs(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    entries = publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3)
    written = write_tables(tmp_path / "tables", entries, "csv")
    assert [path.name for path in written][:2] == ["claims.csv", f"depths-{MODEL}-1.csv"]
    with written[1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [list(entries[0].tables[0].head), *map(list, entries[0].tables[0].rows)] == rows
    with written[0].open(encoding="utf-8", newline="") as file:
        (claim,) = csv.DictReader(file)
    assert (claim["claim"], float(claim["ours"])) == ("depth", 0.75)


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_figures_are_drawn_for_a_paper(form: Any, store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3)
    kept = load_entries(tmp_path / "out" / "results" / "results.json")
    written = write_figures(tmp_path / "figures", kept, form)
    assert [path.name for path in written] == [f"depths-{MODEL}-{part}.{form}" for part in ("1-held-out", "2-known")]
    if form == "pdf":
        assert written[0].read_bytes().startswith(b"%PDF")
    else:
        text = written[0].read_text(encoding="utf-8")
        assert all(f">{name}</text>" in text for name in ("shallow", "deep", "held-out", "paper"))
    again = write_figures(tmp_path / "again", kept, form)
    assert again[0].read_bytes() == written[0].read_bytes()


def test_what_another_model_came_to_is_still_drawn_on_the_page(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    _, _, page = write(store)
    drawn = page.count('class="dots"')
    there = tmp_path / "there"
    (there / "results").mkdir(parents=True)
    kept = read_json(tmp_path / "out" / "results" / "results.json")
    for entry in kept:
        entry["model"] = entry["claims"][0]["model"] = "qwen"
    write_json(there / "results" / "results.json", kept)
    publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3, others=[there])
    page = (tmp_path / "out" / "results" / "results.html").read_text(encoding="utf-8")
    assert page.count('class="dots"') == 2 * drawn > 0


def test_latex_tables_have_their_marks_escaped(store: Store, tmp_path: Path) -> None:
    save_jobs(store, seed=0)
    (entry,) = publishing.write_results(tmp_path / "out", store=store, model=MODEL, seeds=3)
    odd = replace(entry, name="../../evil", tables=[ResultTable(("run", "50%_a"), (("x & y", "<0.1"),))])
    written = write_tables(tmp_path / "tables", [odd], "latex")[1]
    assert written.parent == tmp_path / "tables", "a name is no path"
    text = written.read_text(encoding="utf-8")
    assert text == (
        "\\begin{tabular}{lr}\n\\toprule\nrun & 50\\%\\_a \\\\\n\\midrule\nx \\& y & \\textless{}0.1 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def test_an_experiment_about_models_of_its_own_is_published_under_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_jobs(store, seed=0)
    write(store)
    own = EXPERIMENT.model_copy(update={"base": {"model": MODEL}})
    for module in (publishing, markdown):
        monkeypatch.setattr(module, "list_experiments", lambda: {"depths": own})
    copy = tmp_path / "copy"
    copy.symlink_to(locate_embedded_model())
    with pytest.raises(ConfigError, match="'Two depths' is about models of its own; leave it out"):
        publishing.write_results(tmp_path / "fresh", store=store, model=str(copy))


def test_a_model_in_a_folder_is_known_by_its_name_alone(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "my model"
    copy.parent.mkdir()
    copy.symlink_to(locate_embedded_model())
    save_jobs(store, seed=0, model=str(copy))
    (entry,) = publishing.write_results(tmp_path / "out", store=store, model=str(copy))
    assert entry.model == entry.claims[0]["model"] == "my model"
    assert "rote reproduce depths --model 'my model' --seeds 1" in entry.command
    for path in (tmp_path / "out").rglob("*.*"):
        assert "elsewhere" not in path.read_text(encoding="utf-8")


def test_models_of_two_runs_have_names_of_their_own(store: Store, tmp_path: Path) -> None:
    places = [tmp_path / name / "model" for name in ("first", "second")]
    for place in places:
        place.mkdir(parents=True)
        for path in locate_embedded_model().iterdir():
            (place / path.name).symlink_to(path)
        save_jobs(store, seed=0, model=str(place))
        publishing.write_results(tmp_path / "out", store=store, model=str(place))
    text = (tmp_path / "out" / "RESULTS.md").read_text(encoding="utf-8")
    assert "of finished jobs of `first/model`, `second/model`." in text


def test_a_folder_does_not_take_the_name_of_the_embedded_model(store: Store, tmp_path: Path) -> None:
    (tmp_path / MODEL).symlink_to(locate_embedded_model())
    save_jobs(store, seed=0, model=str(tmp_path / MODEL))
    with pytest.raises(ConfigError, match="is called as the embedded model is; give the folder another name"):
        publishing.write_results(tmp_path / "out", store=store, model=str(tmp_path / MODEL))
