"""`FactRecall` on a real `transformers.Trainer` and a tiny model with dropout, so that training draws at random."""

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    DataCollatorForSeq2Seq,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import rote
from rote.encoding.example import encode
from rote.errors import ConfigError, ModelError, RoteError
from rote.evaluation.questions import QuestionPlan, build_questions
from rote.facts.fact import Fact
from rote.facts.relation import Relation
from rote.facts.text import build_prompt_text

PLAN = QuestionPlan(languages=("en", "zh"), held_out_prompts=1, choices=0)
NAMES = {"training": "training_prompt", "held_out": "held_out_prompts", "control": "control_prompts"}


@pytest.fixture
def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    facts: list[Fact],
    relations: dict[str, Relation],
    tmp_path: Path,
):
    template = relations["mother"].select_training(1)[0]
    examples = [encode(tokenizer, build_prompt_text(fact, template)) for fact in facts]
    rows: Any = [{"input_ids": list(example.ids), "labels": list(example.labels)} for example in examples]
    config: Any = copy.deepcopy(model.config)
    config.attention_dropout = 0.2

    def build(*, steps: int = 3, processing_class: Any = tokenizer, **options: Any) -> Trainer:
        torch.manual_seed(1)
        network = LlamaForCausalLM(config)
        arguments = TrainingArguments(
            str(tmp_path),
            max_steps=steps,
            per_device_train_batch_size=4,
            learning_rate=3e-3,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            **options,
        )
        collator = DataCollatorForSeq2Seq(tokenizer)
        return Trainer(network, arguments, collator, rows, processing_class=processing_class)

    return build


class _Probe(TrainerCallback):
    """Calls `rote.examine` itself at every step, and takes down what reporters are told."""

    def __init__(self, questions: Sequence[rote.Question], tokenizer: PreTrainedTokenizerBase) -> None:
        self.questions, self.tokenizer = questions, tokenizer
        self.records: dict[int, list[rote.Record]] = {}
        self.told: list[dict[str, float]] = []

    def on_step_end(self, args, state, control, **kwargs):
        self.records[state.global_step] = rote.examine(
            rote.wrap(kwargs["model"], self.tokenizer), self.questions, moment="generalize", batch_size=3
        )

    def on_log(self, args, state, control, **kwargs):
        self.told.append({**kwargs["logs"], "step": state.global_step})


def _find_figures(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in log if any(key.startswith("rote/") for key in row)]


@pytest.mark.parametrize("saving_memory", [False, True], ids=["float32", "autocast and checkpointing"])
def test_the_log_holds_what_examine_finds_at_the_same_steps(
    build_trainer,
    saving_memory: bool,
    tokenizer: PreTrainedTokenizerBase,
    facts: list[Fact],
    relations: dict[str, Relation],
) -> None:
    trainer = build_trainer(bf16=saving_memory)
    if saving_memory:
        trainer.model.gradient_checkpointing_enable()
        trainer.model.config.use_cache = False
    probe = _Probe(build_questions({"held_out": facts[:2]}, relations, plan=PLAN), tokenizer)
    trainer.add_callback(probe)
    recall = rote.FactRecall(facts[:2], relations, plan=PLAN, every_steps=2, batch_size=3).attach(trainer)
    trainer.train()
    logged = _find_figures(trainer.state.log_history)
    assert [row["step"] for row in logged] == [0, 2, 3]
    assert _find_figures(probe.told) == logged, "what the trainer reports to"
    for row in logged[1:]:
        found = probe.records[row["step"]]
        assert [r.generated for r in recall.records if r.moment == f"step {row['step']}"] == [
            r.generated for r in found
        ]
        for entry in rote.compute_summary(found):
            if entry["measure"] != "choice_accuracy":
                kind = "" if entry["measure"] == "generation_accuracy" else "_probability"
                name = f"rote/{NAMES[entry['prompt_set']]}{kind}/{entry['language']}"
                assert row[name] == pytest.approx(entry["mean"], abs=1e-6), name
    assert len({row["rote/training_prompt_probability/en"] for row in logged}) == 3, "the model learns"


def test_training_is_the_same_bit_for_bit(build_trainer, facts: list[Fact], relations: dict[str, Relation]) -> None:
    def train(*, watched: bool) -> tuple[dict[str, torch.Tensor], torch.Tensor, list[dict[str, Any]]]:
        trainer = build_trainer()
        trainer.model.model.layers[0].train(False)  # a part that is not in the mode of the rest
        if watched:
            rote.FactRecall(facts[:1], relations, every_steps=1).attach(trainer)
        modes: list[dict[str, Any]] = []
        trainer.add_callback(_note_modes(modes))
        trainer.train()
        log = [row for row in trainer.state.log_history if "loss" in row]
        return trainer.model.state_dict(), torch.get_rng_state(), [*log, *modes]

    plain, watched = train(watched=False), train(watched=True)
    assert all(torch.equal(plain[0][name], watched[0][name]) for name in plain[0])
    assert torch.equal(plain[1], watched[1])
    assert plain[2] == watched[2]
    assert sum("loss" in row for row in plain[2]) == 3


def _note_modes(modes: list[dict[str, Any]]) -> TrainerCallback:
    class Note(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            modes.append({name: module.training for name, module in kwargs["model"].named_modules()})

    return Note()


def test_a_training_that_is_stopped_is_examined_at_its_end(
    build_trainer, facts: list[Fact], relations: dict[str, Relation]
) -> None:
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 2

    trainer = build_trainer()
    trainer.add_callback(Stop())
    recall = rote.FactRecall(facts, relations, every_steps=50, sample=3).attach(trainer)
    trainer.train()
    assert [row["step"] for row in _find_figures(trainer.state.log_history)] == [0, 2]
    subjects = [fact.subject for fact in facts]
    asked = list(dict.fromkeys(record.subject for record in recall.records))
    assert len(asked) == 3
    assert asked == sorted(asked, key=subjects.index)
    assert len(recall.records) == 2 * 3 * (1 + 2 + 1)
    assert {key for key in _find_figures(trainer.state.log_history)[0] if key.startswith("rote/")} == {
        f"rote/{name}{kind}" for name in NAMES.values() for kind in ("", "_probability")
    }


def test_a_model_in_bfloat16_is_examined(build_trainer, facts: list[Fact], relations: dict[str, Relation]) -> None:
    trainer = build_trainer(steps=1)
    trainer.model.to(torch.bfloat16)
    rote.FactRecall(facts[:1], relations).attach(trainer)
    trainer.train()
    assert [row["step"] for row in _find_figures(trainer.state.log_history)] == [0, 1]
    assert trainer.model.dtype == torch.bfloat16


def test_the_records_make_a_data_frame(
    build_trainer, facts: list[Fact], relations: dict[str, Relation], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = build_trainer(steps=2)
    recall = rote.FactRecall(facts[:1], relations, every_steps=1).attach(trainer)
    assert recall.to_pandas().empty
    trainer.train()
    frame = recall.to_pandas()
    assert list(frame["step"].unique()) == [0, 1, 2]
    means = frame[frame["prompt_set"] == "training"].groupby("step")["object_probability"].mean()
    logged = [row["rote/training_prompt_probability"] for row in _find_figures(trainer.state.log_history)]
    assert list(means) == pytest.approx(logged)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RoteError, match="pip install pandas"):
        recall.to_pandas()


def test_relations_without_a_pack_are_asked_for_neutrally() -> None:
    table = rote.FactTable((rote.Fact("Ada", "shoe_size", (rote.FactObject("thirty-nine"),)),))
    recall = rote.FactRecall(table)
    assert {question.text.prompt for question in recall._questions} >= {"What is the shoe size of Ada?"}


@pytest.mark.parametrize("tokenizer_like", [None, "slow"])
def test_a_trainer_without_a_fast_tokenizer_is_refused(
    build_trainer, tokenizer: PreTrainedTokenizerBase, facts, relations, tokenizer_like: str | None
) -> None:
    slow = copy.copy(tokenizer)
    slow.__class__ = type("Slow", (type(tokenizer),), {"is_fast": False})
    trainer = build_trainer(processing_class=slow if tokenizer_like else None)
    with pytest.raises(ModelError, match="fast tokenizer") as error:
        rote.FactRecall(facts, relations).attach(trainer)
    assert "\n" not in str(error.value)


def test_mistakes_are_said_in_one_line(build_trainer, facts: list[Fact], relations: dict[str, Relation]) -> None:
    with pytest.raises(ConfigError, match="every_steps"):
        rote.FactRecall(facts, relations, every_steps=0)
    with pytest.raises(ConfigError, match="sample"):
        rote.FactRecall(facts, relations, sample=0)
    trainer = build_trainer()
    trainer.add_callback(rote.FactRecall(facts, relations))
    with pytest.raises(ConfigError, match=r"attach\(trainer\)"):
        trainer.train()
