"""A finished run with a damaged file is one line that names the file; with or without the sums that find it out."""

import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote

FILES = (
    "identity.json",
    "manifest.json",
    "summary.json",
    "relations.json",
    "knowledge.json",
    "side_effects.json",
    "memorize/history.json",
    "generalize/history.json",
    "records/before.parquet",
    "records/generalize.parquet",
    "config.yaml",
    "table.jsonl",
    "comparison.json",
)
COMMANDS = (("report", "copy"), ("compare", "copy", "mine"), ("export", "task", "copy", "--out", "task"))
COMPARISON = '{"methods": [{"name": "in_context", "training_tokens": 0}], "rows": []}'
SHAPES = (
    b"",
    b"null",
    b"7",
    b'"x"',
    b"[7]",
    b"[{}]",
    b'{"a": 1}',
    b'{"a": [{}]}',
    b'{"": "1"}',
    b'{"a\\u0001": "1"}',
    b"[" * 20_000,
)


def damage(content: bytes) -> list[bytes]:
    """What is left of a file that ends within a word, as one that ends with a line may be whole; other files in its
    place."""
    start = content.rfind(b"\n", 0, len(content) // 2) + 1
    line = content[start:]
    return [content[: start + len(line) - len(line.lstrip()) + 2], *SHAPES]


@pytest.fixture
def copy(finished_run: FinishedRun, workplace: Path) -> Path:
    for name in ("copy", "mine"):
        shutil.copytree(finished_run.folder, workplace / name)
    (workplace / "copy" / "comparison.json").write_text(COMPARISON, encoding="utf-8")
    return workplace / "copy"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_whatever_is_in_it(name: str, copy: Path) -> None:
    """As in a run of a version that wrote no sums."""
    (copy / "files.json").unlink()
    whole, found = (copy / name).read_bytes(), 0
    for content in damage(whole):
        (copy / name).write_bytes(content)
        for command in COMMANDS:
            shutil.rmtree("task", ignore_errors=True)
            outcome = call_rote(*command)  # a traceback would come through
            assert outcome.code in (0, 2), (command, content[:20])
            if outcome.code == 2:
                found += 1
                assert outcome.err.splitlines()[-1].startswith(f"rote: copy/{name}: ")
                assert "; " in outcome.err or name == "config.yaml", "a remedy; of YAML the line that is wrong"
    assert found >= len(damage(whole)) - 2  # of some an empty list, or an empty text, is right


@pytest.mark.parametrize("name", [name for name in FILES if name != "comparison.json"])
def test_the_sums_find_out_what_does_not_look_damaged(name: str, copy: Path) -> None:
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")
    for command in COMMANDS:
        outcome = call_rote(*command)
        assert outcome.code == 2
        assert outcome.err == (
            f"rote: copy/{name}: is not as the run wrote it; mend it with the command that began the run and --resume\n"
        )


@pytest.mark.parametrize("content", SHAPES)
def test_damaged_sums_are_named_themselves(content: bytes, copy: Path) -> None:
    (copy / "files.json").write_bytes(content)
    outcome = call_rote("report", copy)
    assert outcome.code == 2
    assert ": is not as the run wrote it; mend it with" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_file_of_something_else_is_no_records(workplace: Path) -> None:
    (workplace / "other.parquet").write_bytes(b"PAR1")
    outcome = call_rote("compare", "other.parquet")
    assert outcome.code == 2
    assert outcome.err.startswith("rote: other.parquet: cannot be read as records (")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize(
    "command",
    [
        ("ask", "copy/model", "Who is it?"),
        ("examine", "copy/model", "facts.csv"),
        ("export", "model", "copy", "--out", "o"),
    ],
)
def test_a_model_that_is_not_the_one_examined_is_not_asked(name: str, command: tuple[str, ...], copy: Path) -> None:
    """One bit of its weights leaves a model that answers."""
    content = bytearray((copy / "model" / name).read_bytes())
    content[-1] ^= 1
    (copy / "model" / name).write_bytes(content)
    outcome = call_rote(*command)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith(
        f"rote: copy/model/{name}: is not as the run wrote it; mend it with "
    )
    assert not Path("o").exists()


def test_a_model_that_lost_what_says_which_facts_were_shown_is_asked_elsewhere_alone(copy: Path) -> None:
    """Without its rote.json an examination would take the facts that were shown for held-out ones."""
    (copy / "model" / "rote.json").unlink()
    outcome = call_rote("examine", "copy/model", "facts.csv")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("rote: copy/model/rote.json: is not as the run wrote it; ")
    (copy / "files.json").write_bytes((copy / "files.json").read_bytes()[:40])
    assert call_rote("ask", "copy/model", "Who is it?").err.splitlines()[-1].startswith("rote: copy/files.json: ")
    assert call_rote("ask", "copy/model", "Who is it?").code == 2
    (copy / "model").rename("elsewhere")
    assert call_rote("ask", "elsewhere", "Who is it?").code == 0
