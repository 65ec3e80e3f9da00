"""Hypothesis over everything that Rote reads: whatever stands there, it is read, or refused in one clear line."""

import json
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.cli.conftest import TABLE
from tests.torture.bench import SWEEP, Bench
from tests.torture.changes import PACK
from tests.torture.making import TEXTS, VALUES, change_bytes, change_data, encode
from tests.torture.others import make_records, make_sheets, read_records, read_workbook
from tests.torture.processes import Process
from tests.torture.verdicts import SAME, TRACEBACK, UNCLEAR, Case, Verdict, is_clear

from rote.comparison.runs import load_run, load_settings
from rote.config.job import Config
from rote.config.loading import load_config
from rote.config.sizes import fit_config
from rote.errors import RoteError
from rote.evaluation.asking import ask_model
from rote.experiments.sweep import load_sweep
from rote.facts.linting import TableLint
from rote.facts.prompt_checking import check_prompts
from rote.facts.reading import ReadOptions, load_table, load_usable
from rote.facts.relation import load_relation, load_relations
from rote.models.loading import load_model
from rote.pipeline.exporting import export_task
from rote.pipeline.job import check_settings
from rote.pipeline.report import load_report_content
from rote.report.render import render_report
from rote.runs.ledger import load_ledger
from rote.runs.opening import find_run_folder, open_run_folder

PART = "fuzz"
_CHUNK = 125
"""Cases that one process does."""
_SECONDS = 5.0
"""Of computing; a file that takes longer to read is a finding."""
_MEMORY = 8_000_000_000
"""Bytes of a process; what does not fit is a finding."""


_SHOWN = 1_000
"""Characters of a case that are printed; its seed makes it again."""


class UnclearError(Exception):
    """A mistake that is not said in one clear line, or not in time."""


@dataclass(frozen=True)
class Fuzzer:
    """What is made up, and what reads it: a function of a folder of its own, in which the content lies."""

    share: float
    content: Callable[[Bench], st.SearchStrategy[Any]]
    read: Callable[[Path, Any], None]


# --- what is made up -------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    ["subject", "relation", "object", "objects", "aliases", "id", "source", "language", "x", "", " Object"]
)
_CELLS = st.one_of(st.sampled_from(["Gene Finley", "mother", "Cody Ross", "a|b", '"', "'", "a,b"]), TEXTS)


def _make_tables(_: Bench) -> st.SearchStrategy[Any]:
    rows = st.lists(st.lists(_CELLS, max_size=5), max_size=4)
    heads = st.one_of(st.just(["subject", "relation", "object"]), st.lists(_NAMES, max_size=5))
    cells = st.builds(_join, heads, rows, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]))
    lines = st.lists(st.dictionaries(_NAMES, VALUES, max_size=5), max_size=3)
    usual = {"subject": "Gene Finley", "relation": "mother", "objects": [{"name": "Cody Ross", "aliases": ["C"]}]}
    objects = st.one_of(lines, st.lists(change_data(usual), max_size=3)).map(_write_lines)
    texts = st.one_of(cells.map(encode), change_bytes(TABLE.encode()), objects, st.binary(max_size=40))
    written = st.tuples(st.sampled_from(["t.csv", "t.tsv", "t.jsonl"]), texts)
    columns = st.tuples(st.just("t.parquet"), st.one_of(change_bytes(_write_parquet()), st.binary(max_size=40)))
    # Another process reads each Parquet file first, which takes as long as a hundred other cases.
    return st.integers(0, 15).flatmap(lambda number: columns if number == 0 else written)


def _join(head: list[str], rows: list[list[str]], delimiter: str, end: str) -> str:
    return end.join(delimiter.join(row) for row in (head, *rows))


def _write_lines(rows: list[Any]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=True) for row in rows).encode()


def _write_parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"subject": ["Gene Finley"], "relation": ["mother"], "object": ["Cody Ross"]}), sink)
    return bytes(sink.getvalue())


def _make_yaml(original: Any) -> st.SearchStrategy[bytes]:
    text = yaml.safe_dump(original, sort_keys=False)
    whole = change_data(original).map(lambda data: encode(yaml.safe_dump(data, sort_keys=False)))
    return st.one_of(whole, change_bytes(text.encode()))


def _make_settings(_: Bench) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(
        ["seed", "memorize", "memorize.epochs", "table.file", "retain.file", "model", "key_token", "x", ""]
    )
    pairs = st.lists(st.builds("{}={}".format, keys, st.one_of(TEXTS, VALUES.map(json.dumps))), max_size=2)
    return st.tuples(_make_yaml(json.loads(Config().model_dump_json())), pairs)


def _make_files(folder: Path) -> st.SearchStrategy[Any]:
    """One file of a folder with another content."""
    return st.one_of([_make_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()])


def _make_file(folder: Path, path: Path) -> st.SearchStrategy[Any]:
    content = path.read_bytes()
    made = change_bytes(content)
    if path.suffix == ".json":
        made = st.one_of(made, change_data(json.loads(content)).map(lambda data: json.dumps(data).encode()))
    return st.tuples(st.just(path.relative_to(folder).as_posix()), made)


# --- what reads it ---------------------------------------------------------------------------------------------------


def _read_table(folder: Path, content: tuple[str, bytes]) -> None:
    name, data = content
    (folder / name).write_bytes(data)
    list(TableLint(folder / name, load_relations(()), ReadOptions()).find())
    for read in (load_table, load_usable, partial(load_usable, options=ReadOptions({}, True, True))):
        attempt(partial(read, folder / name))


def _read_pack(folder: Path, content: bytes) -> None:
    (folder / "pack.yaml").write_bytes(content)
    attempt(lambda: list(check_prompts(folder / "pack.yaml")))
    load_relation(folder / "pack.yaml")


def _read_settings(folder: Path, content: tuple[bytes, list[str]]) -> None:
    file, pairs = content
    (folder / "config.yaml").write_bytes(file)
    check_settings(fit_config(load_config(Config, folder / "config.yaml", pairs), 10**7))


def _read_sweep(folder: Path, content: bytes) -> None:
    (folder / "sweep.yaml").write_bytes(content)
    load_sweep(folder / "sweep.yaml")


def _read_run(bench: Bench, folder: Path, content: tuple[str, bytes]) -> None:
    """As a run of a version that wrote no sums, which find most of it out."""
    run = folder / "mine"
    shutil.copytree(bench.finished / "mine", run)
    name, data = content
    (run / name).write_bytes(data)
    if name != "files.json":
        (run / "files.json").unlink()
    attempt(lambda: render_report(load_report_content(find_run_folder(run))))
    attempt(lambda: (load_run(run), load_settings(run)))
    attempt(lambda: export_task(find_run_folder(run), folder / "task"))
    open_run_folder(run, {"config": {}}, resume=True)


def _read_model(bench: Bench, folder: Path, content: tuple[str, bytes]) -> None:
    model = folder / "tiny"
    shutil.copytree(bench.finished / "mine" / "model", model)
    name, data = content
    (model / name).write_bytes(data)
    attempt(lambda: load_ledger(model))
    ask_model(load_model(str(model)), "Who is Gene Finley's mother?")


def attempt(read: Callable[[], object]) -> None:
    """Read, or be told in one clear line why not. Raises `UnclearError`, and whatever is no mistake of a person."""
    begin = time.process_time()
    try:
        read()
    except RoteError as error:
        if not is_clear(f"rote: {error}\n"):
            raise UnclearError(f"{type(error).__name__}: {error}") from error
    if time.process_time() - begin > _SECONDS:
        raise UnclearError(f"took {time.process_time() - begin:.1f} s")


def list_fuzzers(bench: Bench) -> dict[str, Fuzzer]:
    """All of them by name, with their shares of the cases."""
    return {
        "tables": Fuzzer(0.25, _make_tables, _read_table),
        "sheets": Fuzzer(0.05, make_sheets, read_workbook),
        "records of others": Fuzzer(0.05, make_records, read_records),
        "packs": Fuzzer(0.15, lambda _: _make_yaml(yaml.safe_load(PACK)), _read_pack),
        "configs": Fuzzer(0.2, _make_settings, _read_settings),
        "sweeps": Fuzzer(0.05, lambda _: _make_yaml(SWEEP), _read_sweep),
        "run folders": Fuzzer(0.15, lambda bench: _make_files(bench.finished / "mine"), partial(_read_run, bench)),
        "model folders": Fuzzer(
            0.1, lambda bench: _make_files(bench.finished / "mine" / "model"), partial(_read_model, bench)
        ),
    }


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """So many cases, in processes that do a part each."""
    assert bench.finished.is_dir()  # made once, before there are forks
    for name, fuzzer in list_fuzzers(bench).items():
        left = round(fuzzer.share * count)
        while left > 0:
            size, number = min(left, _CHUNK), chance.randrange(2**32)
            left -= size
            yield Case(PART, f"{name} (seed {number}, {size} cases)", partial(_fuzz, bench, fuzzer, number, size))


def _fuzz(bench: Bench, fuzzer: Fuzzer, number: int, size: int) -> Verdict:
    with bench.place() as place:
        ended = Process(partial(_fuzz_here, bench, fuzzer, number, size), place).end(10 * size * _SECONDS)
    try:
        return Verdict(**json.loads(ended.out.splitlines()[-1]))  # a library may have printed something before
    except (ValueError, IndexError):  # a case that leaves the process says nothing, or something else
        return Verdict(TRACEBACK, f"exit code {ended.code}: {ended.out[:300]} {ended.err[-700:]}")


def _fuzz_here(bench: Bench, fuzzer: Fuzzer, number: int, size: int) -> int:
    """Try cases until one is a finding, and print the verdict."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    out, tried = sys.stdout, 0

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(fuzzer.content(bench))
    def check(content: Any) -> None:
        nonlocal tried
        tried += 1
        folder = Path("case")
        folder.mkdir()
        try:
            attempt(partial(fuzzer.read, folder, content))
        except Exception as error:
            error.add_note(f"falsified by {content!r}"[:_SHOWN])
            raise
        finally:
            shutil.rmtree(folder)

    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            check()
            verdict = Verdict(SAME)
        except Exception as error:
            kind = UNCLEAR if isinstance(error, UnclearError) else TRACEBACK
            verdict = Verdict(kind, f"{type(error).__name__}: {error} {_locate(error)} {error.__notes__[0]}")
    print(json.dumps(asdict(verdict) | {"cases": min(tried, size)}), file=out)
    return 0


def _locate(error: Exception) -> str:
    """The last line of ours that an error came through."""
    found = ""
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if "/rote/" in file:
            found = f"at {Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
