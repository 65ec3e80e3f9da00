"""A mistake is one line on standard error and exit code 2; nothing is left behind, and a bug keeps its traceback."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote, list_tree

HEAD = "subject,relation,object\n"

# What is written into the working folder before, the command (MODEL is a good one), and what the line must say.
MISTAKES: dict[str, tuple[dict[str, str], str, str]] = {
    "missing table": ({}, "run none.csv --model MODEL --out new", "none.csv: there is no such file; check the path"),
    "empty table": ({"t.csv": ""}, "run t.csv --model MODEL --out new", "t.csv: the file is empty"),
    "table without facts": ({"t.csv": HEAD}, "run t.csv --model MODEL --out new", "t.csv: the table has no facts"),
    "missing column": (
        {"t.csv": "subject,object\nA,B\n"},
        "run t.csv --model MODEL --out new",
        "missing: 'relation'",
    ),
    "unknown relation": (
        {"t.csv": f"{HEAD}A,mothr,B\n"},
        "run t.csv --model MODEL --out new",
        "the relation 'mothr' has no prompts; did you mean 'mother'? If not, write a pack with 'rote prompts new'",
    ),
    "unknown relation, dry": ({"t.csv": f"{HEAD}A,mothr,B\n"}, "run t.csv --model MODEL --dry-run", "'mothr'"),
    "unknown relation, examined": ({"t.csv": f"{HEAD}A,mothr,B\n"}, "examine MODEL t.csv --out r.parquet", "'mothr'"),
    "object in its prompt": (
        {"t.csv": f"{HEAD}Ann Bell,mother,Mum\n"},
        "run t.csv --model MODEL --out new",
        "its object 'Mum' stands in the prompt",
    ),
    "no such folder": (
        {},
        "run facts.csv --model ./nope --out new --dry-run",
        "./nope: there is no such folder; give the folder of a model",
    ),
    "misspelt model": ({}, "examine rote-tny facts.csv", "there is no such model; did you mean rote-tiny?"),
    "no such model of an experiment": (
        {},
        "reproduce size --seeds 1 --store store",
        "runs/models/rote-small/model: there is no such folder",
    ),
    "misspelt method of a sweep": (
        {"s.yaml": "grid: {method: [memorise, fine_tuning]}\n"},
        "sweep s.yaml --dry-run --store store",
        "there is no 'memorise'; the nearest is 'memorize",
    ),
    "unknown setting": (
        {},
        "run facts.csv --model MODEL --out new --set memorize.epoch=3",
        "unknown setting 'memorize.epoch'; the nearest is 'memorize.epochs'",
    ),
    "setting of a wrong type": ({}, "run facts.csv --model MODEL --out new --set seed=one", "'seed' is wrong"),
    "answers that need not come twice": (
        {},
        "run facts.csv --model MODEL --out new --set retain.subjects=1",
        "--set retain.subjects=1: only answers that come twice are held; ask in at least 2 prompts",
    ),
    "malformed setting": (
        {},
        "run facts.csv --model MODEL --out new --set memorize.epochs",
        "--set memorize.epochs: must look like key=value",
    ),
    "hostile key token": (
        {},
        "run facts.csv --model MODEL --out new --set key_token='{name}'",
        "the setting 'key_token' is wrong",
    ),
    "missing config": ({}, "run facts.csv --model MODEL --out new --config none.yaml", "none.yaml: there is no such"),
    "broken config": ({"c.yaml": "a: ["}, "run facts.csv --model MODEL --out new --config c.yaml", "c.yaml: cannot be"),
    "missing pack": (
        {},
        "run facts.csv --model MODEL --out new --set relations=[none.yaml]",
        "none.yaml: cannot be read as a relation pack",
    ),
    "missing recipe": ({}, "pretrain --config none.yaml --out new", "none.yaml: there is no such file"),
    "recipe of something else": ({"c.yaml": "seed: 1"}, "pretrain --config c.yaml --out new", "is missing"),
    "adapters kept of a model without": (
        {},
        "run facts.csv --model MODEL --out new --set keep=adapter",
        "--set keep=adapter: there are adapters only with --set tuning=lora",
    ),
    "unknown tuning": ({}, "run facts.csv --model MODEL --out new --set tuning=lorra", "the setting 'tuning' is wrong"),
    "unknown key strategy": (
        {},
        "run facts.csv --model MODEL --out new --set key_strategy=old",
        "the setting 'key_strategy' is wrong",
    ),
    "no room for reserved keys": (
        {},
        "run facts.csv --model MODEL --out new --set key_strategy=reserved",
        "unused ids; add tokens with --set key_strategy=new",
    ),
    "missing text": (
        {},
        "run facts.csv --model MODEL --out new --set side_effects.text=none.txt",
        "none.txt: there is no such text file (--set side_effects.text)",
    ),
    "missing replay": (
        {},
        "run facts.csv --model MODEL --out new --set retain.file=none.txt",
        "none.txt: there is no such text file (--set retain.file)",
    ),
    "missing facts to keep": (
        {},
        "run facts.csv --model MODEL --out new --set side_effects.facts=none.csv",
        "none.csv: there is no such table (--set side_effects.facts)",
    ),
    "pickled model": (
        {"m/config.json": "{}", "m/pytorch_model.bin": "x"},
        "ask m Who?",
        "m: has only pickled weights (.bin), which may run code when they are read; convert them to safetensors, or",
    ),
    "model with code": (
        {"m/config.json": '{"auto_map": {"AutoModelForCausalLM": "evil.Model"}}', "m/evil.py": "raise SystemExit(9)"},
        "ask m Who?",
        "m: comes with Python code of its own (auto_map in config.json); read it, and add --trust-remote-code",
    ),
    "export of nothing": ({}, "export task none --out t", "none: is not a run folder"),
    "no model there": ({"no_model/a.txt": "a"}, "ask no_model Who?", "no_model: is not a model folder (it has no con"),
    "model is a file": ({}, "ask facts.csv Who?", "facts.csv: is a file"),
    "model is empty": ({"m/config.json": "{}"}, "ask m Who?", "m: cannot be loaded as a causal language model ("),
    "model is broken": ({"m/config.json": "{,"}, "examine m facts.csv --out r.parquet", "m: cannot be loaded as a"),
    "unknown model": ({}, "ask nobody/nothing Who?", "nobody/nothing: cannot be loaded as a causal language model ("),
    "unknown folder": ({}, "examine ./none facts.csv", "./none: there is no such folder"),
    "empty question": ({}, "ask MODEL ''", "the question is empty"),
    "blank question": ({}, "ask MODEL '  '", "the question is empty"),
    "out is a file": ({"new": "x"}, "run facts.csv --model MODEL --out new", "new: is a file; --out takes a folder"),
    "out is below a file": ({"new": "x"}, "run facts.csv --model MODEL --out new/run", "new/run: cannot be made, as"),
    "out is not ours": ({"new/a.txt": "x"}, "run facts.csv --model MODEL --out new", "new: is not empty and not a run"),
    "out is not ours, resumed": ({"new/a.txt": "x"}, "run facts.csv --model MODEL --out new --resume", "is not empty"),
    "out is damaged": ({"new/identity.json": "{"}, "run facts.csv --model MODEL --out new --resume", "cannot be read"),
    "unknown relation to invent": ({}, "facts invent --relation mothr", "unknown relation 'mothr'; the nearest"),
    "impossible count": ({}, "facts invent --relation genre --count 100000 --out g.csv", "ask for a smaller --count"),
    "invented into a folder": ({"f.csv/a.txt": "x"}, "facts invent --count 1 --out f.csv", "f.csv: cannot be written"),
    "invented as TSV": ({}, "facts invent --count 1 --out g.tsv", "tables are written as .csv or .jsonl"),
    "invented below a file": ({}, "facts invent --count 1 --out facts.csv/g.csv", "cannot be written"),
    "unknown experiment": ({}, "reproduce mian --model MODEL", "unknown experiment 'mian'; the nearest is 'main'"),
    "unknown method": (
        {},
        "reproduce targets --model MODEL --set method=fine_tunning",
        "method: there is no 'fine_tunning'; the nearest is 'fine_tuning', or give module:function",
    ),
    "unknown setting of an experiment": (
        {},
        "reproduce targets --model MODEL --set fine_tune.epoch=3",
        "unknown setting 'fine_tune.epoch'; the nearest is 'fine_tune.epochs'",
    ),
    "more facts shown than there are": (
        {},
        "run facts.csv --model MODEL --out new --set generalize.facts=4",
        "--set generalize.facts=4: the relation 'mother' has 3 facts; give at most so many",
    ),
    "unknown method to compare with": (
        {},
        "run facts.csv --model MODEL --out new --against in_context,fine_tunning",
        "method: there is no 'fine_tunning'; the nearest is 'fine_tuning'",
    ),
    "settings of a method without": (
        {},
        "run facts.csv --model MODEL --out new --set method_settings.depth=3",
        "method_settings: the method 'memorize_then_generalize' takes no settings of its own; take them out",
    ),
    "unknown setting of a method of ones own": (
        {},
        "run facts.csv --model MODEL --out new --set method=tests.methods.own_method:plan --set method_settings.on=1",
        "method_settings: unknown setting 'on'; none is like it; there is between",
    ),
    "report of nothing": ({}, "report none", "none: is not a run folder"),
    "report of a folder": ({"f/a.txt": "x"}, "report f", "f: is not a run folder (it has no identity.json)"),
    "report of a begun run": ({"f/identity.json": "{}"}, "report f", "f: this run is not finished; finish it with"),
}


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def split(line: str, model_folder: Path) -> list[str]:
    return [str(model_folder) if word == "MODEL" else word for word in shlex.split(line)]


def check_line(err: str, message: str) -> None:
    *before, line = err.splitlines(keepends=True)
    assert all(other.startswith("loaded ") for other in before)
    assert line.startswith("rote: ")
    assert line.endswith("\n")
    assert message in line


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize(("files", "line", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake(workplace: Path, model_folder: Path, files: dict[str, str], line: str, message: str) -> None:
    for name, content in files.items():
        (workplace / name).parent.mkdir(exist_ok=True)
        (workplace / name).write_text(content, encoding="utf-8")
    before = list_tree(workplace)
    outcome = call_rote(*split(line, model_folder))
    assert outcome.code == 2
    assert outcome.out == ""
    check_line(outcome.err, message)
    assert list_tree(workplace) == before


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("model", ["facts.csv", "no_model", "nobody/nothing"])
def test_a_run_with_a_bad_model_leaves_nothing_behind(workplace: Path, model: str) -> None:
    (workplace / "no_model").mkdir()
    before = list_tree(workplace)
    assert call_rote("run", "facts.csv", "--model", model, "--out", "new").code == 2
    assert list_tree(workplace) == before


@pytest.mark.parametrize(
    "line",
    ["facts invent --relation mothr --out new.csv", "ask nobody/nothing Who?"],
)
def test_a_mistake_as_the_shell_sees_it(workplace: Path, line: str) -> None:
    before = list_tree(workplace)
    done = subprocess.run(
        [sys.executable, "-m", "rote.cli.main", *line.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    check_line(done.stderr, "")
    assert list_tree(workplace) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("facts", "invent", "--count", "0"), "'--count'"),
        (("facts", "invent", "--count", "many"), "'--count'"),
        (("facts", "show", "--count", "-1"), "'--count'"),
        (("run", "--epochs", "3"), "--epochs"),
        (("rnu",), "rnu"),
        (("ask", "rote-tiny"), "question"),
        (("report",), "run_dir"),
    ],
)
def test_a_command_that_does_not_parse(workplace: Path, words: tuple[str, ...], message: str) -> None:
    before = list_tree(workplace)
    outcome = call_rote(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert list_tree(workplace) == before


def test_another_run_is_not_overwritten(finished_run: FinishedRun) -> None:
    before = list_tree(finished_run.folder)
    for more in ((), ("--resume",)):
        outcome = call_rote(*finished_run.words, *more, "--set", "seed=4")
        assert outcome.code == 2
        check_line(outcome.err, "mine: holds another run (its config.seed is 0, not 4); choose another --out")
    assert list_tree(finished_run.folder) == before


def test_the_same_run_is_not_done_twice_unless_resumed(finished_run: FinishedRun) -> None:
    before = list_tree(finished_run.folder)
    outcome = call_rote(*finished_run.words)
    assert outcome.code == 2
    check_line(outcome.err, "mine: holds this run already; add --resume")
    assert list_tree(finished_run.folder) == before


def test_a_long_text_of_a_file_is_not_said_whole(workplace: Path) -> None:
    outcome = call_rote("run", "facts.csv", "--set", f"{'x' * 100_000}=1")
    assert outcome.code == 2
    assert outcome.err.startswith(f"rote: --set {'x' * 100}: unknown setting 'xxx")
    assert "xxx'; none is like it; there are seed, " in outcome.err
    assert len(outcome.err) < 2_100


def test_a_report_of_two_folders_writes_none_when_one_is_wrong(finished_run: FinishedRun, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run.folder, copy)
    (copy / "report.html").unlink()
    outcome = call_rote("report", copy, tmp_path)
    assert outcome.code == 2
    check_line(outcome.err, "is not a run folder")
    assert not (copy / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        (("--limit", "columns=1000", "run", "facts.csv"), "rote.cli.run.load_settings", "stopped"),
        (("audit", "rote-tiny", "facts.csv"), "rote.cli.audit.read_table", "stopped"),
        (
            ("reproduce", "main"),
            "rote.experiments.reproduce.run_experiment",
            "stopped; the same command goes on with what was saved",
        ),
    ],
)
def test_control_c_promises_to_go_on_only_where_work_is_kept(
    words: tuple[str, ...], place: str, said: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    outcome = call_rote(*words)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == f"rote: {said}"


def test_a_bug_keeps_its_traceback(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("rote.cli.facts.read_table", fail)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        call_rote("facts", "show", "facts.csv")


def test_that_figures_cannot_be_drawn_is_said_before_results_are_written(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = call_rote("results", "--out", "new", "--format", "csv", "--format", "svg")
    assert (outcome.code, outcome.err) == (
        2,
        "rote: --format svg and pdf need matplotlib: pip install -e '.[figures]'\n",
    )
    assert not (workplace / "new").exists()
