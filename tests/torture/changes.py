"""Inputs that change between a run and its resumption: it is refused, or is the run of the new inputs."""

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.torture.bench import RUN, Bench, differ, read_left
from tests.torture.processes import call
from tests.torture.verdicts import Case, Verdict, judge

PART = "changed"
Change = Callable[[Path], tuple[str, ...]]
"""Changes a place; returns the words to add to the command."""


def _write(name: str, content: str | bytes) -> Change:
    def change(place: Path) -> tuple[str, ...]:
        (place / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return ()

    return change


def _edit(name: str, old: str, new: str) -> Change:
    def change(place: Path) -> tuple[str, ...]:
        text = (place / name).read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        (place / name).write_text(text.replace(old, new), encoding="utf-8")
        return ()

    return change


def _set(*pairs: str) -> Change:
    return lambda _: tuple(word for pair in pairs for word in ("--set", pair))


def _remove(name: str) -> Change:
    def change(place: Path) -> tuple[str, ...]:
        (place / name).unlink()
        return ()

    return change


def _flip_last_bit(name: str) -> Change:
    def change(place: Path) -> tuple[str, ...]:
        content = bytearray((place / name).read_bytes())
        content[-1] ^= 1
        (place / name).write_bytes(content)
        return ()

    return change


def _take_out_tokens(place: Path) -> tuple[str, ...]:
    """Another tokenizer that still reads."""
    path = place / "tiny" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["merges"] = content["model"]["merges"][:-1]
    path.write_text(json.dumps(content), encoding="utf-8")
    return ()


def _add_file(name: str, content: str, *words: str) -> Change:
    def change(place: Path) -> tuple[str, ...]:
        (place / name).write_text(content, encoding="utf-8")
        return words

    return change


_HEAD = "subject,relation,object\n"
_ROWS = ["Gene Finley,mother,Cody Ross\n", "Ann Bell,mother,Mia Dorn\n", "Odo Fenn,mother,Rosa Lind\n"]
PACK = """
relation: mother
description: the mother of a person
subject_type: person
object_type: person
prompts:
  en:
    training: ["Who is the mother of {subject}?", "Name the mother of {subject}:"]
    held_out: ["By birth, {subject} is the child of"]
    control: ["Where does {subject} live?"]
"""

CHANGES: dict[str, Change] = {
    "another object": _edit("facts.csv", "Cody Ross", "Cody Moss"),
    "another subject": _edit("facts.csv", "Ann Bell", "Ann Ball"),
    "another relation": _edit("facts.csv", ",mother,", ",father,"),
    "a row less": _write("facts.csv", _HEAD + "".join(_ROWS[:2])),
    "a row more": _write("facts.csv", _HEAD + "".join(_ROWS) + "Ida Krill,mother,Mei Lin\n"),
    "another order": _write("facts.csv", _HEAD + "".join(reversed(_ROWS))),
    "a row twice": _write("facts.csv", _HEAD + "".join(_ROWS) + _ROWS[0]),
    "a table cut short": _write("facts.csv", (_HEAD + "".join(_ROWS))[:60]),
    "a table emptied": _write("facts.csv", ""),
    "no rows": _write("facts.csv", _HEAD),
    "no table": _remove("facts.csv"),
    "no columns": _write("facts.csv", "".join(_ROWS)),
    "another encoding": _write("facts.csv", (_HEAD + "".join(_ROWS)).encode("utf-16")),
    "a mark before the table": _write("facts.csv", (_HEAD + "".join(_ROWS)).encode("utf-8-sig")),
    "other line ends": _write("facts.csv", (_HEAD + "".join(_ROWS)).replace("\n", "\r\n")),
    "a column more": _edit("facts.csv", "\n", ",x\n"),
    "a source": _write("facts.csv", "subject,relation,object,source\n" + "".join(f"{row[:-1]},me\n" for row in _ROWS)),
    "letters of another case": _edit("facts.csv", "Mia Dorn", "mia dorn"),
    "a bit of the weights": _flip_last_bit("tiny/model.safetensors"),
    "weights cut": _write("tiny/model.safetensors", b"\0" * 100),
    "no weights": _remove("tiny/model.safetensors"),
    "no config": _remove("tiny/config.json"),
    "another config": _edit("tiny/config.json", '"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-03'),
    "another shape": _edit("tiny/config.json", '"hidden_size": 16', '"hidden_size": 32'),
    "an empty config": _write("tiny/config.json", "{}"),
    "another tokenizer": _take_out_tokens,
    "no tokenizer": _remove("tiny/tokenizer.json"),
    "a damaged tokenizer": _write("tiny/tokenizer.json", "{"),
    "key tokens that are not there": _write("tiny/rote.json", '{"key_tokens": {"mother": "[none]"}}'),
    "another generation config": _edit("tiny/generation_config.json", "{", '{"repetition_penalty": 2.0,'),
    "more epochs": _set("memorize.epochs=5"),
    "another learning rate": _set("memorize.learning_rate=0.01"),
    "another seed": _set("seed=1"),
    "another method": _set("method=fine_tuning"),
    "other questions": _set("examine.languages=[en,de]"),
    "another key token": _set("key_token=[Q{number}]"),
    "no retained texts": _set("retain.texts=0"),
    "adapters": _set("tuning=lora"),
    "another time between checkpoints": _set("checkpoint_seconds=60"),
    "a setting that there is not": _set("memorize.epoch=5"),
    "a setting out of range": _set("memorize.epochs=-5"),
    "a pack": _add_file("pack.yaml", PACK, "--set", "relations=[pack.yaml]"),
    "a damaged pack": _add_file("pack.yaml", PACK[:150], "--set", "relations=[pack.yaml]"),
    "texts of one's own": _add_file("texts.txt", "one line\nanother\n", "--set", "retain.file=texts.txt"),
    "a config beside it": _add_file("more.yaml", "seed: 3\n", "--config", "more.yaml"),
    "a damaged config beside it": _add_file("more.yaml", "seed: [3\n", "--config", "more.yaml"),
}


_MEASURE_NOTHING = {"another time between checkpoints"}
"""Changes after which a finished run is what it was, and says how it was made."""


def list_cases(bench: Bench, count: int, chance: random.Random) -> Iterator[Case]:
    """So many cases, each change before a second turn of any, at moments that chance picks."""
    order = [name for _ in range(1 + count // len(CHANGES)) for name in chance.sample(sorted(CHANGES), len(CHANGES))]
    for name in order[:count]:
        stopped = chance.choice(list(bench.stopped))
        yield Case(PART, f"{stopped}: {name}", partial(_change, bench, stopped, name))


def _change(bench: Bench, stopped: str, name: str) -> Verdict:
    is_as_it_was = stopped == "finished" and name in _MEASURE_NOTHING
    change = CHANGES[name]
    with bench.place(bench.stopped[stopped]) as place:
        words = (*RUN, *change(place))
        ended = call(words, place)
        return judge(ended, lambda: _differ(bench, place, None if is_as_it_was else change), may_refuse=True)


def _differ(bench: Bench, place: Path, change: Change | None) -> str:
    """In what the run differs from one that has known no other inputs than the changed ones."""
    with bench.place() as other:
        words = (*RUN, *(change(other) if change else ()))
        assert call(words, other).code in (0, 3)
        expected, found = (
            {name: content for name, content in read_left(folder).items() if name.startswith("mine/")}
            for folder in (other, place)
        )
    return differ(found, expected)
