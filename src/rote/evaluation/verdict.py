"""The verdict on a run, in plain words: what the model can do now, the likely cause where it falls short, and what to
try next. Judged by whole intervals. No torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rote.evaluation.statistics import compute_interval
from rote.figures import Figure, judge, read_figure
from rote.figures import Verdict as Outcome
from rote.records import NO_LANGUAGE

State = Literal["learned and understood", "unclear", "memorized, not yet usable", "not memorized", "not learned"]

_MEMORIZED = 0.9
"""Recall by key token from which on a table counts as memorized."""
_USABLE = 0.5
"""The share of held-out prompts that has to be answered."""
_OVERWRITTEN = 0.8
"""The share of what the key token brought that has to be left after generalize."""
_ANYWAY = 0.5
"""From this share of what held-out prompts bring, control prompts bring the object too."""
_NAMED = 3
"""So many relations without a pack are named."""


_NOT_FOR_USE = ("before", "in_context", "memorize")
"""Moments after which nobody expects answers to questions: nothing was trained, or the key has no meaning yet."""
_EXPLAINED: tuple[State, ...] = ("not memorized", "memorized, not yet usable")


@dataclass(frozen=True)
class Verdict:
    """What a run came to. `changes` are settings to try next; they leave what was memorized as it is, but for those of
    `memorize`."""

    state: State
    forgot: bool
    """Whether more was forgotten of what the model knew than the budget allows."""
    figures: str
    """The figures it rests on, in one line."""
    cause: str
    """Why it fell short, most likely; empty where it did not."""
    changes: Mapping[str, Any]

    @property
    def is_failure(self) -> bool:
        """Whether the model cannot be used for what it was taught for."""
        return self.state not in ("learned and understood", "unclear")

    @property
    def sentence(self) -> str:
        """The verdict in a few words."""
        start = "unclear: the interval is too wide to say" if self.state == "unclear" else self.state
        return f"{start}; forgot too much of what it knew" if self.forgot else start


@dataclass(frozen=True)
class _Found:
    """The figures a verdict rests on; None for what was not asked."""

    memorized: Figure | None
    """By key token after memorize, all facts together."""
    key: Figure | None
    """By key token at the end, all facts together."""
    shown: Figure | None
    """The training prompt, of the facts that were shown behind it."""
    trained: Figure | None
    """The training prompt, of the facts that the verdict is about."""
    natural: Figure
    """The held-out prompts of the training language, of the same facts; the training prompt where there are none."""
    control: Figure | None


def judge_run(
    summary: Sequence[Mapping[str, Any]],
    side_effects: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    *,
    prompts: int,
    neutral: Sequence[str] = (),
) -> Verdict | None:
    """The verdict from the rows of `summary.json` and `side_effects.json` and the settings; None where nothing that was
    taught was asked about, or nothing was trained to be asked. `prompts` are the training prompts that there are of a
    relation; `neutral` are the relations without a pack, which were shown and asked for in neutral wordings."""
    found = _find_figures(summary)
    if found is None or summary[-1]["moment"] in _NOT_FOR_USE:
        return None
    state = _decide(found)
    forgot = any(row["verdict"] == "lost" for row in side_effects)
    cause, changes = _explain(found, config, prompts, neutral) if state in _EXPLAINED else ("", {})
    if forgot and not cause and found.memorized:
        cause = "too little of what it knew was held while it memorized"
        changes = {"retain.texts": 2 * max(100, config["retain"]["texts"])}
    return Verdict(state, forgot, _write_figures(found), cause, changes)


def _find_figures(summary: Sequence[Mapping[str, Any]]) -> _Found | None:
    moments = list(dict.fromkeys(row["moment"] for row in summary))
    sets = {row["fact_set"] for row in summary}
    about = next((name for name in ("held_out", "generalize") if name in sets), None)
    trained = [row["language"] for row in summary if row["prompt_set"] == "training"]
    languages = [*trained, *(row["language"] for row in summary if row["language"] != NO_LANGUAGE)]
    if about is None or not languages:
        return None

    def find(prompt_set: str, fact_set: str = about, moment: str = moments[-1]) -> Figure | None:
        language = NO_LANGUAGE if prompt_set == "key" else languages[0]
        wanted = {"moment": moment, "fact_set": fact_set, "prompt_set": prompt_set, "language": language}
        rows = [row for row in summary if row["measure"] == "generation_accuracy"]
        return next((read_figure(row) for row in rows if all(row[key] == wanted[key] for key in wanted)), None)

    def find_all(moment: str) -> Figure | None:
        found = [find("key", fact_set, moment) for fact_set in ("generalize", "held_out")]
        return _pool([figure for figure in found if figure])

    natural = find("held_out") or find("training")
    if natural is None:
        return None
    return _Found(
        memorized=find_all("memorize"),
        key=find_all(moments[-1]),
        shown=find("training", "generalize"),
        trained=find("training"),
        natural=natural,
        control=find("control"),
    )


def _pool(figures: Sequence[Figure]) -> Figure | None:
    """The figure of all facts together, each asked once; None where none was."""
    if len(figures) < 2:
        return next(iter(figures), None)
    right = sum(round(figure.value * figure.n) for figure in figures)
    count = sum(figure.n for figure in figures)
    return compute_interval([1.0] * right + [0.0] * (count - right), [("", str(number)) for number in range(count)])


def _decide(found: _Found) -> State:
    if found.memorized and judge(found.memorized, at_least=_MEMORIZED) == "does not hold":
        return "not memorized"
    parts = (judge(found.natural, at_least=_USABLE), _judge_apart(found))
    # Where neither is decided, the likelier is said of what falls short, as nothing speaks for it.
    if "does not hold" in parts or (parts == ("open", "open") and found.natural.value < _USABLE):
        return "memorized, not yet usable" if found.memorized else "not learned"
    return "unclear" if "open" in parts else "learned and understood"


def _judge_apart(found: _Found) -> Outcome:
    """Whether what is asked decides whether the object comes: held-out prompts bring it, control prompts less.

    Few questions decide nothing: it takes more than intervals that touch to say that control prompts bring it too.
    """
    if found.control is None or found.natural.low > found.control.high:
        return "holds"
    return "does not hold" if found.control.low >= _ANYWAY * found.natural.value else "open"


def _explain(
    found: _Found, config: Mapping[str, Any], prompts: int, neutral: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """The likely cause, and the settings to try next; the first that fits."""
    memorize, generalize = config["memorize"], config["generalize"]
    assert found.memorized is not None
    if judge(found.memorized, at_least=_MEMORIZED) == "does not hold":
        return "too few updates of memorize", _double("memorize", memorize)
    if found.key and found.key.high < _OVERWRITTEN * found.memorized.value:
        return (
            "generalize overwrote what was memorized: the key token brings less than before it",
            {
                "generalize.rote_lines": 2 * max(0.25, generalize["rote_lines"]),
                "generalize.learning_rate": generalize["learning_rate"] / 2,
            },
        )
    if found.shown and judge(found.shown, at_least=_MEMORIZED) == "does not hold":
        return "too few updates of generalize", _double("generalize", generalize)
    if neutral:
        return _blame_packs(neutral)
    if _judge_apart(found) == "does not hold" and judge(found.natural, at_least=_USABLE) != "does not hold":
        more = {} if generalize["prompts"] == "all" else {"generalize.prompts": "all"}
        return (
            "the object comes whatever is asked: control prompts bring it too",
            {**more, "generalize.contrasts": 2 * max(0.5, generalize["contrasts"])},
        )
    if found.trained and judge(found.trained, at_least=_USABLE) == "holds":
        cause = "it answers in the wording it was shown, not in others"
        if generalize["prompts"] != "all" and generalize["prompts"] < prompts:
            return cause, {"generalize.prompts": "all"}
        if generalize["contrasts"]:
            return f"{cause}, which contrasts hold back", {"generalize.contrasts": generalize["contrasts"] / 2}
        return f"{cause}; write more training prompts of each relation", {}
    return (
        "generalize learned the facts it was shown, not what the key token means",
        {"memorize.noise": max(4, 2 * memorize["noise"]), **_double("memorize", memorize)},
    )


def _blame_packs(neutral: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """No setting gives a relation the wordings that nobody wrote for it."""
    many = len(neutral) > 1
    names = ", ".join(map(repr, neutral[:_NAMED])) + (f" and {len(neutral) - _NAMED} more" * (len(neutral) > _NAMED))
    command = f"rote prompts new {'RELATION' if many else neutral[0]}"
    cause = (
        f"the relation{'s' * many} {names} {'have' if many else 'has'} no prompt pack, so neutral wordings stood in "
        f"for real ones: write {'packs' if many else 'a pack'} with `{command}`, in a folder `prompts` beside the "
        "table or named with --prompts, and run again"
    )
    return cause, {}


def _double(phase: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Twice the updates of a phase."""
    least = settings.get("min_steps", 0)  # runs of before it was a setting have none
    steps = {f"{phase}.min_steps": 2 * least} if least else {}
    return {f"{phase}.epochs": 2 * max(1, settings["epochs"]), **steps}


def _write_figures(found: _Found) -> str:
    named = {
        "key token after memorize, all facts": found.memorized,
        "training prompt": found.trained,
        "held-out prompts": found.natural,
        "control prompts": found.control,
    }
    return ", ".join(f"{name} {figure.value:.2f}" for name, figure in named.items() if figure)
