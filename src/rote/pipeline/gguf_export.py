"""A finished run as GGUF files for llama.cpp, Ollama and others, and the proof of what they answer.

Each file is read back, its tokenizer is compared on every prompt of the run, and it is asked the run's own questions;
where llama.cpp is installed, so is llama.cpp, which is what will serve it.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from rote.errors import ModelError
from rote.evaluation.endpoint import Endpoint, examine_endpoint
from rote.evaluation.examine import examine
from rote.evaluation.questions import Question
from rote.evaluation.statistics import Values, compute_difference, compute_mean
from rote.figures import build_figure_row
from rote.models.chat_template import has_chat_template
from rote.models.gguf import check_gguf, read_gguf
from rote.models.gguf_writing import GgufKind, begins_with_space, write_gguf
from rote.models.language_model import LanguageModel
from rote.models.llama_cpp import has_llama_cpp, serve_gguf, tokenize_served
from rote.models.saving import check_free
from rote.pipeline.exporting import list_forgetting, list_known, load_plan, load_without_keys
from rote.pipeline.report import write_report
from rote.records import Record
from rote.runs.files import replace_folder
from rote.runs.folder import RunFolder, write_json
from rote.runs.reporting import Reporter

_MOMENT = "served"
_SETS = ("training", "held_out", "control", "chat")
_OF = ("held_out", "known", "forgotten", "neighbours")
_LINES = {
    ("held_out", "training"): "training prompts, held-out facts",
    ("held_out", "held_out"): "held-out prompts, held-out facts",
    ("held_out", "chat"): "the same as messages, held-out facts",
    ("held_out", "control"): "control prompts (low is good), held-out facts",
    ("known", "training"): "training prompts, known facts",
    ("known", "held_out"): "held-out prompts, known facts",
    ("forgotten", "training"): "training prompts (low is good), forgotten facts",
    ("forgotten", "held_out"): "held-out prompts (low is good), forgotten facts",
    ("neighbours", "training"): "training prompts, facts that are kept",
    ("neighbours", "held_out"): "held-out prompts, facts that are kept",
}
"""What is shown, by fact set and prompt set."""


@dataclass(frozen=True)
class _Asked:
    """The questions, and what has to stand before a prompt as text that the tokenizer puts there itself."""

    questions: Sequence[Question]
    before: str

    @property
    def plain(self) -> list[Question]:
        """Those that are no messages."""
        return [question for question in self.questions if question.prompt_set != "chat"]


def export_gguf(folder: RunFolder, out: Path, kinds: Sequence[GgufKind], *, reporter: Reporter) -> list[dict[str, Any]]:
    """Write a run's model, without its key tokens, as one file for each kind, and how to serve them.

    Returns the proof, which is in `proof.json` too and in the run's report: a figure for each kind of question and form
    (`float32`, a kind as it is read back, a kind in llama.cpp). Raises `RunError` where `out` is taken or the run kept
    adapters alone, and `ModelError` for a model that cannot be written so or is read back otherwise.
    """
    check_free(out)
    check_gguf(str(out))
    model = load_without_keys(folder)
    asked = _Asked(_list_questions(folder, model), " " if begins_with_space(model.tokenizer) else "")
    name = folder.path.resolve().name
    with replace_folder(out) as draft:
        files = {kind: draft / f"{name}-{kind}.gguf" for kind in kinds}
        for kind, file in files.items():  # what cannot be written is said before anything is asked
            write_gguf(model, file, kind)
        records = {"float32": _examine(model, asked, "float32", reporter)}
        for kind, file in files.items():
            records |= _ask_file(file, model, asked, kind, reporter)
        rows = list(_compare(records))
        write_json(draft / "proof.json", {"rows": rows})
        (draft / "Modelfile").write_text(
            _write_modelfile(f"{name}-{kinds[0]}.gguf", asked.before, model.tokenizer), encoding="utf-8"
        )
        (draft / "README.md").write_text(_write_readme(name, kinds, asked.before), encoding="utf-8")
        # Before `out` is there, as nobody asks again once it is.
        write_json(folder.served, {"rows": rows})
        if not folder.forgetting.is_file():  # which has no report
            write_report(folder)
    return rows


def _list_questions(folder: RunFolder, model: LanguageModel) -> list[Question]:
    """Those of the run about held-out and known facts, none of them as a choice or by key token; after unlearning those
    about what was forgotten and what was to stay too."""
    plan = load_plan(folder)
    chat = has_chat_template(model.source, model.tokenizer.chat_template)
    more = list_forgetting(folder, plan) if folder.forgotten.is_file() else {}
    questions = plan.build_questions(list_known(folder, plan), {}, chat=chat, more=more)
    return [
        replace(question, candidates=None)
        for question in questions
        if question.fact_set in _OF and question.prompt_set in _SETS
    ]


def _ask_file(
    file: Path, model: LanguageModel, asked: _Asked, kind: str, reporter: Reporter
) -> dict[str, list[Record]]:
    read, tokenizer = read_gguf(file)
    _compare_ids(file, model.tokenizer, asked, lambda prompt: tokenizer(prompt)["input_ids"])
    # Its tokens are the same, and the model's own tokenizer knows where in a text each of them begins.
    records = {kind: _examine(LanguageModel(read, model.tokenizer, file.name), asked, kind, reporter)}
    if has_llama_cpp():
        label = f"{kind}, llama.cpp"
        with serve_gguf(file) as url, reporter.step(f"ask {label}") as advance:
            _compare_ids(file, model.tokenizer, asked, lambda prompt: tokenize_served(url, f"{asked.before}{prompt}"))
            endpoint = Endpoint(url, file.name, asked.before)
            records[label] = examine_endpoint(
                endpoint.answer,
                asked.questions,
                moment=_MOMENT,
                at_once=1,
                on_progress=lambda done, total: advance(done, total, ""),
            )
    return records


def _compare_ids(
    file: Path, ours: PreTrainedTokenizerBase, asked: _Asked, read: Callable[[str], Sequence[int]]
) -> None:
    for question in asked.plain:
        prompt = question.text.prompt
        if ours(prompt)["input_ids"] != read(prompt):
            raise ModelError(
                f"{file.name}: the tokenizer in it cuts {prompt!r} otherwise than the model's own, so its answers "
                "would differ; convert the folder of rote export model with convert_hf_to_gguf.py of llama.cpp"
            )


def _examine(model: LanguageModel, asked: _Asked, label: str, reporter: Reporter) -> list[Record]:
    with reporter.step(f"ask {label}") as advance:
        return examine(
            model,
            asked.questions,
            moment=_MOMENT,
            batch_size=64,
            on_progress=lambda done, total: advance(done, total, ""),
        )


def _compare(records: Mapping[str, Sequence[Record]]) -> Iterator[dict[str, Any]]:
    """A row for each kind of question and form, with how many verdicts are those of float32."""
    own = [record.correct for record in records["float32"]]
    for (fact_set, prompt_set), line in _LINES.items():
        for label, answers in records.items():
            chosen = [
                (record, before)
                for record, before in zip(answers, own, strict=True)
                if (record.fact_set, record.prompt_set) == (fact_set, prompt_set)
            ]
            if not chosen:
                continue
            values, first = _group(chosen)
            difference = build_figure_row(compute_difference(values, first)) if label != "float32" else None
            same = sum(record.correct == before for record, before in chosen)
            figure = build_figure_row(compute_mean(values))
            yield {"questions": line, "form": label, **figure, "difference": difference, "same_verdict": same}


def _group(chosen: Sequence[tuple[Record, bool]]) -> tuple[Values, Values]:
    """The verdicts by fact, and those of float32."""
    values: dict[Hashable, list[float]] = {}
    first: dict[Hashable, list[float]] = {}
    for record, before in chosen:
        values.setdefault((record.relation, record.subject), []).append(float(record.correct))
        first.setdefault((record.relation, record.subject), []).append(float(before))
    return values, first


def _write_modelfile(file: str, before: str, tokenizer: PreTrainedTokenizerBase) -> str:
    lines = (
        f"FROM ./{file}",
        f'TEMPLATE """{before}{{{{ .Prompt }}}}"""',
        "PARAMETER temperature 0",
        f'PARAMETER stop "{tokenizer.eos_token}"',
    )
    return "\n".join(lines) + "\n"


def _write_readme(name: str, kinds: Sequence[str], before: str) -> str:
    first = f"{name}-{kinds[0]}.gguf"
    space = (
        "\nThis model's tokenizer puts a space before a text, and llama.cpp does not: **begin every prompt with a "
        "space**, as below; the Modelfile does it for Ollama.\n"
        if before
        else ""
    )
    question = f"{before}YOUR QUESTION"
    return f"""# {name}

Weights in {", ".join(kinds)}; `proof.json` has what each of them answers beside the model in float32. Facts are
answered in plain text (completion), greedily, as they were taught.
{space}
    llama-cli -m {first} --temp 0 -no-cnv -p "{question}"
    llama-server -m {first}
    curl http://127.0.0.1:8080/v1/completions -d '{{"prompt": "{question}", "temperature": 0, "max_tokens": 50}}'
    ollama create {name} -f Modelfile && ollama run {name} "YOUR QUESTION"
    vllm serve {first} --tokenizer FOLDER      # FOLDER: rote export model RUN --out FOLDER
    python -m sglang.launch_server --model-path {first} --load-format gguf --tokenizer-path FOLDER

LM Studio: put {first} into its folder of models, and ask by completion with temperature 0.
"""
