"""A finished run as GGUF, and what its files answer."""

from pathlib import Path

import pytest
from tests.pipeline.conftest import Finished

from rote.errors import ModelError, RunError
from rote.models.llama_cpp import has_llama_cpp, serve_gguf, tokenize_served
from rote.pipeline import gguf_export
from rote.pipeline.gguf_export import export_gguf
from rote.records import load_records
from rote.runs.folder import read_json
from rote.runs.reporting import SilentReporter


def test_files_answer_as_the_run_did(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_export, "has_llama_cpp", lambda: False)
    rows = export_gguf(finished.folder, tmp_path / "out", ["f16", "q8_0"], reporter=SilentReporter())
    name = finished.folder.path.name
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {f"{name}-f16.gguf", f"{name}-q8_0.gguf", "proof.json", "Modelfile", "README.md"}
    assert read_json(tmp_path / "out" / "proof.json") == {"rows": rows}
    records = load_records(finished.folder.records("generalize"))
    own = [r.correct for r in records if (r.fact_set, r.prompt_set) == ("held_out", "training")]
    figures = {row["form"]: row for row in rows if row["questions"] == "training prompts, held-out facts"}
    assert set(figures) == {"float32", "f16", "q8_0"}
    assert figures["float32"]["mean"] == pytest.approx(sum(own) / len(own))
    assert figures["float32"]["n"] == len(own)
    assert figures["f16"]["same_verdict"] == len(own)
    assert figures["f16"]["difference"]["mean"] == 0
    page = finished.folder.report.read_text(encoding="utf-8")
    assert "As it is served" in page
    assert "<td>q8_0</td>" in page
    lines = (tmp_path / "out" / "Modelfile").read_text().splitlines()
    assert lines[0] == f"FROM ./{name}-f16.gguf"
    assert lines[1] == 'TEMPLATE """ {{ .Prompt }}"""'  # this tokenizer puts a space before a text


def test_nothing_is_written_over(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(RunError, match="is there already; name another folder"):
        export_gguf(finished.folder, tmp_path / "out", ["f16"], reporter=SilentReporter())
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.skipif(not has_llama_cpp(), reason="needs llama.cpp: pip install -e '.[llama-cpp]'")
def test_llama_cpp_answers_as_the_run_did(finished: Finished, tmp_path: Path) -> None:
    rows = export_gguf(finished.folder, tmp_path / "out", ["f16"], reporter=SilentReporter())
    served = [row for row in rows if row["form"] == "f16, llama.cpp"]
    assert served
    assert all(row["same_verdict"] == row["n"] for row in served)


@pytest.mark.skipif(not has_llama_cpp(), reason="needs llama.cpp: pip install -e '.[llama-cpp]'")
def test_a_prompt_that_llama_cpp_cuts_otherwise_is_refused(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_export, "tokenize_served", lambda url, text: tokenize_served(url, f"{text}!"))
    with pytest.raises(ModelError, match=r"f16\.gguf: the tokenizer in it cuts .* otherwise than the model's own"):
        export_gguf(finished.folder, tmp_path / "files", ["f16"], reporter=SilentReporter())
    assert not (tmp_path / "files").exists()


@pytest.mark.skipif(not has_llama_cpp(), reason="needs llama.cpp: pip install -e '.[llama-cpp]'")
def test_a_file_that_llama_cpp_does_not_take_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with (
        pytest.raises(ModelError, match=r"broken\.gguf: llama\.cpp cannot serve it"),
        serve_gguf(tmp_path / "broken.gguf"),
    ):
        pass
