"""A sweep ends with the same records however it was run, and however often it was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.experiments.conftest import write_shape

from rote.config.job import Config
from rote.config.loading import load_config
from rote.config.sizes import fit_config
from rote.errors import ConfigError, RunError
from rote.experiments.launch import format_slurm
from rote.experiments.sweep import format_sweep, format_value, load_sweep, run_sweep
from rote.models.loading import count_parameters
from rote.runs.folder import read_json, write_json
from rote.runs.reporting import SilentReporter
from rote.runs.store import Store

BASE: dict[str, Any] = {
    "table": {"kind": "invented", "relations": ["mother"], "count": 2},
    "memorize.batch_size": 2,
    "memorize.learning_rate": 5e-3,
    "generalize": {"facts": 1, "batch_size": 1},
    "examine": {"facts": 2, "languages": ["en"], "known_facts": 1, "choices": 1},
}
GRID: dict[str, Any] = {
    "memorize.epochs": [1, 2, 3],
    "generalize.epochs": [1, 2],
    "generalize.learning_rate": [1e-3, 5e-3],
}
EXPERIMENT = Path("experiment")
"""The preset that every experiment begins from."""
SMALL: dict[str, Any] = {"memorize.epochs": [1, 2]}


def write_sweep(folder: Path, model: Path, grid: dict[str, Any], *, seeds: int = 1, **base: Any) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump({"base": {**BASE, "model": str(model), **base}, "grid": grid, "seeds": seeds}))
    return file


def do(file: Path, out: Path, **options: Any) -> Store:
    """Do a sweep with one thread for each job."""
    run_sweep([job.request for job in load_sweep(file)], Store(out), threads=1, reporter=SilentReporter(), **options)
    return Store(out)


def check_same(file: Path, store: Store, other: Store) -> None:
    """Every job of a sweep has the same records and outcome in both; only the time it took may differ."""
    for job in load_sweep(file):
        first, second = store.load(job.name), other.load(job.name)
        assert first.records == second.records, job.changes
        assert {**first.outcome, "seconds": {}} == {**second.outcome, "seconds": {}}
    assert not list(store.path.rglob("*.draft"))


@pytest.fixture(scope="module")
def undisturbed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """24 jobs, done one after the other in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = write_sweep(folder, model, GRID, seeds=2)
    return file, do(file, folder / "store")


# --- the plan --------------------------------------------------------------------------------------------------------


def test_a_sweep_is_the_product_of_its_grid_and_its_seeds(model: Path, tmp_path: Path) -> None:
    planned = load_sweep(write_sweep(tmp_path, model, GRID, seeds=2))
    assert len({job.name for job in planned}) == len(planned) == 24
    assert planned[1].changes == {**{key: values[0] for key, values in GRID.items()}, "seed": 1}
    config = planned[-1].request.config
    assert (config.seed, config.memorize.epochs, config.generalize.learning_rate) == (1, 3, 5e-3)
    assert (config.model, config.table.count, config.memorize.learning_rate) == (str(model), 2, 5e-3)


def test_a_value_may_be_anything_a_setting_can_be(model: Path, tmp_path: Path) -> None:
    grid = {"memorize.stop_at_recall": [None, 0.5], "examine.languages": [["en", "zh"]], "key_token": ["<: {number}>"]}
    first, second = (job.request.config for job in load_sweep(write_sweep(tmp_path, model, grid)))
    assert (first.memorize.stop_at_recall, second.memorize.stop_at_recall) == (None, 0.5)
    assert (first.examine.languages, first.key_token) == (("en", "zh"), "<: {number}>")
    tokens = {"key_token": ["[K{number}]", "#{number}", "null"]}
    found = [job.request.config.key_token for job in load_sweep(write_sweep(tmp_path, model, tokens))]
    assert found == tokens["key_token"], "and is not read as YAML a second time"


def test_a_sweep_takes_a_table_of_ones_own_and_the_settings_of_the_models_size(tmp_path: Path) -> None:
    table, large = tmp_path / "mine.csv", write_shape(tmp_path / "large")
    table.write_text("subject,relation,object\nGene Finley,mother,Cody Ross\nAnn Bell,mother,Mia Dorn\n")
    base = {"model": str(large), "table.file": str(table)}
    (tmp_path / "sweep.yaml").write_text(
        yaml.safe_dump({"base": base, "grid": {"method": ["untaught", "fine_tuning"]}})
    )
    for job in load_sweep(tmp_path / "sweep.yaml"):
        config = job.request.config
        assert [fact.subject for fact in job.request.plan.table] == ["Gene Finley", "Ann Bell"]
        assert (config.memorize.learning_rate, config.fine_tune.learning_rate) == (1e-5, 1e-5)
        assert (config.memorize.warmup_steps, config.memorize.batch_size) == (5, 4)


def test_an_empty_sweep_is_the_plain_setting(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("")
    (job,) = load_sweep(tmp_path / "sweep.yaml")
    assert job.request.config == fit_config(load_config(Config, EXPERIMENT), count_parameters(Config().model))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {memorize.epoch: [1]}", r"unknown setting 'memorize\.epoch'; the nearest is 'memorize\.epochs'"),
        ("base: {memorise.epochs: 1}", r"unknown setting 'memorise'"),
        ("base: {memorize: 5}", r"'memorize' is wrong"),
        ("grid: {memorize.epochs: [many]}", r"'memorize\.epochs' is wrong"),
        ("base: {table: 3}\ngrid: {table.count: [1]}", r"table\.count=1: 'table' has no keys of its own"),
        ("grid: {memorize.epochs: 3}", r"'grid\.memorize\.epochs' is wrong"),
        ("grid: {memorize.epochs: []}", r"'grid\.memorize\.epochs' is wrong"),
        ("grid: {seed: [1, 2]}", r"'grid' is wrong: .*say how many with seeds"),
        ("base: {seed: 1}", r"'base' is wrong: .*say how many with seeds"),
        ("seeds: 0", r"'seeds' is wrong"),
        ("gird: {}", r"unknown setting 'gird'; the nearest is 'grid'"),
        ("grid: [", r"cannot be read as YAML"),
        ("- 1", r"must hold keys and values"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_sweep(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such sweep file"):
        load_sweep(tmp_path / "none.yaml")


@pytest.fixture(scope="module")
def finished(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A small sweep that was done, to be looked at alone."""
    folder = tmp_path_factory.mktemp("finished")
    file, before = write_sweep(folder, model, SMALL), torch.get_num_threads()
    store = do(file, folder / "store")
    assert torch.get_num_threads() == before
    return file, store


# --- doing it --------------------------------------------------------------------------------------------------------


def test_what_is_finished_is_not_done_again(finished: tuple[Path, Store]) -> None:
    file, store = finished
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*.*")}
    do(file, store.path)
    do(file, store.path, processes=2)  # starts no process
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*.*")} == before


def test_the_table_shows_what_was_learned_lost_and_spent_and_warns_of_what_was_not_memorized(
    finished: tuple[Path, Store],
) -> None:
    file, store = finished
    lines = list(format_sweep(load_sweep(file), store))
    head = [word.strip() for word in lines[0].strip("|").split("|")]
    assert head[:3] == ["job", "memorize.epochs", "seed"]
    assert {"held-out prompts", "key token", "control prompts", "known facts", "training tokens"} <= set(head)
    rows = [dict(zip(head, (word.strip() for word in line.strip("|").split("|")), strict=True)) for line in lines[2:4]]
    assert [row["job"] for row in rows] == [job.name for job in load_sweep(file)]
    assert int(rows[0]["training tokens"]) < int(rows[1]["training tokens"])
    assert all(row["key token"].endswith("] (2)") for row in rows)
    assert lines[4].startswith(f"warning: {rows[0]['job']}: memorize reached a recall of 0.00 by key token")


def test_a_result_of_another_version_of_the_code_is_done_again(finished: tuple[Path, Store], tmp_path: Path) -> None:
    store, job = Store(tmp_path / "store"), load_sweep(finished[0])[0]
    shutil.copytree(finished[1].path, store.path)
    outcome = read_json(store.outcome(job.name))
    write_json(store.outcome(job.name), {**outcome, "code": "an older one", "training_tokens": -1})
    (row,) = list(format_sweep([job], store))[2:]
    assert "not finished" in row, "what other code found is not shown"
    run_sweep([job.request], store, threads=1, reporter=SilentReporter())
    assert store.load(job.name).outcome["training_tokens"] == outcome["training_tokens"]


def test_the_number_of_threads_is_recorded(finished: tuple[Path, Store]) -> None:
    file, store = finished
    assert store.load(load_sweep(file)[0].name).outcome["threads"] == 1


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_job_that_fails_does_not_lose_the_others(model: Path, tmp_path: Path, processes: int) -> None:
    """Whether a vocabulary has ids to spare is only known once the model is loaded."""
    file = write_sweep(tmp_path, model, {"key_strategy": ["reserved", "new"], "memorize.epochs": [1]})
    bad, good = load_sweep(file)
    with pytest.raises(RunError, match=r"^1 of 2 jobs failed: ") as caught:
        do(file, tmp_path / "store", processes=processes)
    assert f"{bad.name} (" in str(caught.value)
    assert "unused ids; add tokens with --set key_strategy=new" in str(caught.value)
    assert Store(tmp_path / "store").load(good.name).records
    assert sum("not finished" in line for line in format_sweep([bad, good], Store(tmp_path / "store"))) == 1


@pytest.mark.slow  # threads wait for one another, which takes long where the cores are busy
def test_two_threads_change_no_verdict(model: Path, tmp_path: Path) -> None:
    file = write_sweep(tmp_path, model, {"memorize.epochs": [1]})
    store, other = do(file, tmp_path / "one"), Store(tmp_path / "two")
    run_sweep([job.request for job in load_sweep(file)], other, threads=2, reporter=SilentReporter())
    for job in load_sweep(file):
        pairs = zip(store.load(job.name).records, other.load(job.name).records, strict=True)
        for first, second in pairs:
            assert (first.prompt, first.generated, first.correct) == (second.prompt, second.generated, second.correct)
            assert (first.rank, first.candidates) == (second.rank, second.candidates)
            assert second.object_probability == pytest.approx(first.object_probability, abs=1e-4)


def start(file: Path, out: Path, processes: int) -> subprocess.Popen[bytes]:
    words = ("sweep", file, "--store", out, "--processes", processes, "--threads", "1")
    return subprocess.Popen(
        [sys.executable, "-m", "rote.cli.main", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_sweep_killed_twice_ends_the_same(undisturbed: tuple[Path, Store], tmp_path: Path) -> None:
    file, expected = undisturbed
    store = Store(tmp_path / "store")
    for wanted, processes in ((4, 2), (13, 1)):
        with start(file, store.path, processes) as child:
            wait_for(child, store, wanted)
            child.kill()
            # Its workers hold the same pipe, so it ends only when they have left too.
            child.communicate(timeout=30)
        assert wanted <= count_finished(store) < 24
    do(file, store.path)
    assert count_finished(store) == 24
    check_same(file, store, expected)


def count_finished(store: Store) -> int:
    return len(list((store.path / "jobs").glob("*.json")))


def wait_for(child: subprocess.Popen[bytes], store: Store, wanted: int) -> None:
    while count_finished(store) < wanted:
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)


# --- Ray -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray cluster of two nodes on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100_000_000}
    nodes = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    nodes.add_node(**node)
    nodes.wait_for_nodes()
    yield nodes.address
    nodes.shutdown()


@pytest.mark.slow
def test_a_sweep_on_a_ray_cluster_ends_the_same(undisturbed: tuple[Path, Store], cluster: str, tmp_path: Path) -> None:
    file, expected = undisturbed
    check_same(file, do(file, tmp_path / "store", ray_address=cluster), expected)


def test_without_ray_it_says_how_to_get_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[ray\]'"):
        do(write_sweep(tmp_path, model, SMALL), tmp_path / "store", ray_address="auto")


def test_no_cluster_is_started(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match=r"--ray local: no running Ray cluster can be attached to"):
        do(write_sweep(tmp_path, model, SMALL), tmp_path / "store", ray_address="local")


# --- scripts ---------------------------------------------------------------------------------------------------------


def test_a_slurm_array_has_a_task_for_each_job(tmp_path: Path) -> None:
    script = format_slurm(["a1", "b2", "c3"], Path("my sweep.yaml"), Path("out"))
    assert script.startswith("#!/bin/bash\n#SBATCH")
    assert "#SBATCH --array=0-2\n" in script
    assert run_script(script, tmp_path, SLURM_ARRAY_TASK_ID="1", SLURM_CPUS_PER_TASK="4") == [
        ["sweep", "my sweep.yaml", "--store", "out", "--threads", "4", "--only", "b2"]
    ]


def test_a_script_takes_along_what_its_jobs_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "my methods")
    monkeypatch.setenv("ROTE_LIMITS", "layers=5000")
    script = format_slurm(["a1"], Path("sweep.yaml"), Path("out"), threads=4)
    assert "#SBATCH --cpus-per-task=4\n" in script
    assert "export PYTHONPATH='my methods'\nexport ROTE_LIMITS=layers=5000\n" in script


def run_script(script: str, folder: Path, **environment: str) -> list[list[str]]:
    """The words with which a bash script calls `rote`."""
    fake = folder / "rote"
    fake.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    fake.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": path, **environment}
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("model", ["", "''", "7"])
def test_a_model_that_is_no_name_is_looked_for_nowhere(model: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(f"base: {{model: {model}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sweep\.yaml: model=.*: must name a model; give its folder"):
        load_sweep(tmp_path / "sweep.yaml")


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "0.5"), ("own:plan", "own:plan"), (":", "':'"), (" is", "' is'"), ([1, 2], "[1, 2]")]
)
def test_a_text_of_marks_is_seen(value: Any, shown: str) -> None:
    assert format_value(value) == shown
