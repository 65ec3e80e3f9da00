"""Reading settings: what is refused, and how the message helps."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rote.config.audit import AuditConfig
from rote.config.forgetting import ForgetConfig
from rote.config.job import Config
from rote.config.loading import PRESETS as PRESET_FOLDER
from rote.config.loading import apply_setting, build_config, load_config, read_preset
from rote.config.pretrain import PretrainConfig
from rote.config.sizes import fit_config
from rote.config.strict import StrictConfig
from rote.errors import ConfigError

PRESETS = sorted(path.stem for path in PRESET_FOLDER.glob("*.yaml"))
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))

BAD_CHANGES: dict[str, tuple[str, str]] = {
    "unknown key": ("sed=1", r"unknown setting 'sed'; the nearest is 'seed'"),
    "unknown nested key": ("memorize.epoch=3", r"unknown setting 'memorize\.epoch'; the nearest is 'memorize\.epochs'"),
    "key without its section": ("held_out_prompts=3", r"the nearest is 'examine\.held_out_prompts'"),
    "key like no other": (
        "memorize.foo=1",
        r"unknown setting 'memorize\.foo'; none is like it; there are memorize\.epochs, ",
    ),
    "key with a blank": ("see d=1", r"unknown setting 'see d'; the nearest is 'seed'"),
    "empty part": ("memorize..epochs=1", r"unknown setting 'memorize\.'"),
    "no equals sign": ("memorize.epochs", r"--set memorize\.epochs: must look like key=value, such as --set"),
    "no key": ("=3", r"--set =3: must look like key=value"),
    "child of a value": ("memorize.epochs.first=3", r"'memorize\.epochs' is wrong: input should be a valid integer"),
    "value for a section": ("memorize=5", r"the setting 'memorize' is wrong: .*dictionary.*given: 5"),
    "a word for a number": (
        "memorize.epochs=two",
        r"'memorize\.epochs' is wrong: write a whole number \(given: 'two'\)",
    ),
    "hyphen for underscore": (
        "memorize.learning-rate=1",
        r"'memorize\.learning-rate'; the nearest is 'memorize\.learning_rate'",
    ),
    "one of several kinds": ("generalize.facts=0", r"the setting 'generalize\.facts' is wrong"),
    "half an epoch": ("memorize.epochs=2.5", r"'memorize\.epochs' is wrong: write a whole number"),
    "seed beyond 64 bits": ("seed=18446744073709551616", r"'seed' is wrong: .*less than"),
    "nothing": ("seed=", r"'seed' is wrong: .*\(given: None\)"),
    "negative": ("memorize.epochs=-1", r"greater than or equal to 0 \(given: -1\)"),
    "no learning rate": ("generalize.learning_rate=0", r"'generalize\.learning_rate' is wrong: .*greater than 0"),
    "not a number": ("memorize.learning_rate=.nan", r"'memorize\.learning_rate' is wrong"),
    "more than all": ("memorize.stop_at_recall=1.5", r"less than or equal to 1"),
    "no batch": ("examine.batch_size=0", r"'examine\.batch_size' is wrong: .*greater than or equal to 1"),
    "one language as a word": ("examine.languages=en", r"'examine\.languages' is wrong: .*\(given: 'en'\)"),
    "broken value": ("relations=[a.yaml", r"--set relations=\[a\.yaml: the value is not valid YAML"),
    "a character that is invisible": (
        "seed=;\x1f",
        r"--set 'seed=;\\x1f': the value is not valid YAML \(character 2 is U",
    ),
    "key token with another field": ("key_token='[{name}]'", r"'key_token' is wrong: .*'\[\{name\}\]'"),
    "key token with an open brace": ("key_token='X{'", r"'key_token' is wrong"),
    "empty key token": ("key_token=''", r"'key_token' is wrong"),
}

BAD_FILES: dict[str, tuple[bytes, str]] = {
    "broken": (b"memorize: [1, 2", r"cannot be read as YAML \("),
    "tab": (b"memorize:\n\tepochs: 3\n", r"cannot be read as YAML"),
    "not utf-8": (b"key_token: \xff\xfe", r"cannot be read as YAML \("),
    "binary": (bytes(range(256)), r"cannot be read as YAML"),
    "python object": (b"seed: !!python/object/apply:os.getcwd []", r"cannot be read as YAML"),
    "list": (b"- seed\n- 1\n", r"must hold keys and values, such as 'seed: 1'"),
    "word": (b"seed", r"must hold keys and values"),
    "unknown key": (b"memorise:\n  epochs: 3\n", r"unknown setting 'memorise'; the nearest is 'memorize'"),
    "unknown nested key": (b"retain:\n  text: 3\n", r"unknown setting 'retain\.text'; the nearest is 'retain\.texts'"),
    "key that is a number": (b"1: 2\n", r"unknown setting '1'|the setting '1' is wrong"),
    "key twice": (b"seed: 1\nmodel: m\nseed: 2\n", r"\(line 3: the key 'seed' stands twice; keep one of them\)"),
    "nested key twice": (b"retain: {texts: 1, texts: 2}", r"line 1: the key 'texts' stands twice"),
    "nested without measure": (b"[" * 20_000, r"\(it is nested without measure; write plain keys and values\)"),
    "too large": (b"#" * 1_000_001, r"\(it is larger than 1,000,000 bytes; make it smaller, or allow"),
    "aliases of aliases": (
        b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n, n, b", ".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 107)),
        r"line \d+: holds more than 100,000 values; write it without aliases",
    ),
    "an alias of itself": (b"method_settings: &a {b: *a}", r"holds more than 100,000 values"),
    "out of range": (b"retain: {tokens: 1}", r"'retain\.tokens' is wrong: .*\(given: 1\)"),
}


@pytest.mark.parametrize(("change", "message"), BAD_CHANGES.values(), ids=BAD_CHANGES.keys())
def test_bad_change(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(Config, changes=[change])
    assert "\n" not in str(caught.value)


def test_a_value_without_measure() -> None:
    with pytest.raises(ConfigError, match=r"the value is not valid YAML \(it is nested without measure") as caught:
        load_config(Config, changes=["seed=" + "[" * 20_000])
    assert len(str(caught.value)) < 300


def test_a_large_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match="the setting 'seed' is wrong") as caught:
        load_config(Config, changes=[f"seed={'x' * 100_000}"])
    assert len(str(caught.value)) < 300


def test_aliases_and_merged_mappings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "memorize: {epochs: 3}\nmethod_settings: {inner: &b {<<: &a {x: 1, y: 1}, x: 2}, outer: {<<: *b}}\n"
    )
    assert load_config(Config, path).method_settings == {"inner": {"x": 2, "y": 1}, "outer": {"x": 2, "y": 1}}


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "folder"])
def test_what_may_have_no_end_is_not_read(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    with pytest.raises(ConfigError, match=r": cannot be read as YAML \(it is no regular file; write the text to one\)"):
        load_config(Config, path)


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(Config, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_change_under_a_value_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(ConfigError, match=r"--set seed\.first=2: 'seed' has no keys of its own"):
        load_config(Config, path, ["seed.first=2"])


def test_a_missing_file(tmp_path: Path) -> None:
    message = r"none\.yaml: there is no such file or preset \(--config\); presets: experiment, paper, update"
    with pytest.raises(ConfigError, match=message):
        load_config(Config, tmp_path / "none.yaml")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_config(Config, tmp_path)


def test_a_recipe_that_lacks_a_setting_is_told_which() -> None:
    with pytest.raises(ConfigError, match=r"the setting 'model\.hidden_size' is missing; give it a value$"):
        load_config(PretrainConfig, changes=["seed=0", "vocabulary_size=400", "tokenizer_steps=1", "model={}"])


@pytest.mark.parametrize("content", ["", "# nothing\n", "{}\n", "---\n"])
def test_an_empty_file_gives_the_defaults(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    assert load_config(Config, path) == load_config(Config) == Config()


def test_changes_go_over_the_file_and_the_last_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("seed: 1\nmemorize: {epochs: 3, batch_size: 4}\n")
    changes = ["memorize.epochs=5", "memorize.epochs=6", "examine.languages=[en, ja]", "memorize.learning_rate=1e-4"]
    config = load_config(Config, path, changes)
    assert (config.seed, config.memorize.epochs, config.memorize.batch_size) == (1, 6, 4)
    assert config.memorize.learning_rate == 1e-4
    assert config.examine.languages == ("en", "ja")
    assert config.generalize == Config().generalize


def test_a_key_token_may_count_the_relations_or_not() -> None:
    assert load_config(Config, changes=["key_token='<{number}>'"]).key_token == "<{number}>"
    assert load_config(Config, changes=["key_token='[X]'"]).key_token == "[X]"


def test_a_change_of_one_of_two_sections_that_share_a_yaml_anchor(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("memorize: &phase {epochs: 2}\ngeneralize: *phase\n")
    config = load_config(Config, path, ["memorize.epochs=9"])
    assert (config.memorize.epochs, config.generalize.epochs) == (9, 2)


def test_settings_cannot_be_changed_once_read() -> None:
    config = load_config(Config)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        config.memorize.epochs = 1


def test_a_config_survives_being_written_and_read(tmp_path: Path) -> None:
    config = load_config(Config, changes=["memorize.stop_at_recall=0.9", "relations=[own.yaml]", "retain.texts=0"])
    path = tmp_path / "settings.yaml"
    path.write_text(config.model_dump_json())  # JSON is YAML
    assert load_config(Config, path) == config != Config()


@pytest.mark.parametrize("kind", [Config, ForgetConfig, AuditConfig])
def test_the_defaults_are_written_as_what_is_read_of_them_is(kind: type[StrictConfig]) -> None:
    """Work is kept by its settings as JSON, where 0 and 0.0 differ."""
    written = json.dumps(kind().model_dump())
    read = kind.model_validate(json.loads(written))
    assert json.dumps(read.model_dump()) == written


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_every_shipped_file_loads(path: Path) -> None:
    kind: type[StrictConfig] = PretrainConfig if path.name.startswith("pretrain") else Config
    assert isinstance(load_config(kind, path), kind)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_read_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(Config, Path(name), ["seed=3"])
    assert config == build_config(Config, {**read_preset(name), "seed": 3}) != Config(seed=3)
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("seed: 5\n")
    assert load_config(Config, Path(name)) == Config(seed=5), "a person's own file goes before it"


def test_the_papers_setting_leaves_what_fits_the_size() -> None:
    """Rates, batches and warm-up differ between 10 M and 10 B parameters; a preset that set them would undo that."""
    for parameters in (10_000_000, 135_000_000, 270_000_000, 1_500_000_000, 14_000_000_000):
        paper, plain = (fit_config(config, parameters) for config in (load_config(Config, Path("paper")), Config()))
        for phase in ("memorize", "generalize", "fine_tune"):
            ours, theirs = getattr(paper, phase), getattr(plain, phase)
            for key in ("learning_rate", "batch_size", "warmup_steps"):
                assert getattr(ours, key) == getattr(theirs, key), (phase, key)
        assert paper.retain.texts == 0


def test_the_papers_setting_is_the_same_at_any_size_but_for_what_fits_it() -> None:
    """Between 100 M and 1 B parameters the default changes more than rates; what is the paper's has none of that."""
    fitted = ("learning_rate", "batch_size", "warmup_steps")
    small, *others = (fit_config(load_config(Config, Path("paper")), size) for size in (10**7, 27 * 10**7, 2 * 10**9))
    for other in others:
        for phase in ("memorize", "generalize"):
            ours, theirs = getattr(other, phase).model_dump(), getattr(small, phase).model_dump()
            assert {key: value for key, value in ours.items() if key not in fitted} == {
                key: value for key, value in theirs.items() if key not in fitted
            }, phase
        assert (other.tuning, other.retain.texts) == (small.tuning, small.retain.texts)


@pytest.mark.parametrize("content", [{"file": "a.csv"}, {"file": "a.csv", "kind": "file"}])
def test_a_file_is_enough_to_say_that_the_table_is_one(content: dict[str, str]) -> None:
    table = build_config(Config, {"table": content}).table
    assert (table.kind, table.file) == ("file", "a.csv")


@pytest.mark.parametrize("content", [{"kind": "file"}, {"file": "a.csv", "kind": "invented"}])
def test_a_kind_and_a_file_that_do_not_go_together_are_refused(content: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"'table' is wrong: .*kind and file do not go together"):
        build_config(Config, {"table": content})


@pytest.mark.parametrize("value", ["null", "[X{number}]", "#1", "a: b", "", "yes", "[a, b]", "1e3"])
def test_values_are_put_in_as_they_are(value: str) -> None:
    """`apply_setting` takes values; only what a person writes behind --set is read as YAML."""
    content: dict[str, Any] = {"key_token": "[Z]", "in_context": {"examples": 2}}
    apply_setting(content, "key_token", value)
    apply_setting(content, "in_context.note", value)
    assert content == {"key_token": value, "in_context": {"examples": 2, "note": value}}


def test_the_recipe_of_the_embedded_model_is_shipped() -> None:
    assert "pretrain.yaml" in [path.name for path in CONFIGS]


def _list_undescribed(kind: type[StrictConfig], prefix: str = "") -> list[str]:
    missing: list[str] = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, StrictConfig):
            missing += [] if inner.__doc__ else [prefix + name]
            missing += _list_undescribed(inner, f"{prefix}{name}.")
        elif not field.description:
            missing.append(prefix + name)
    return missing


def test_every_setting_of_a_run_is_described() -> None:
    assert _list_undescribed(Config) == []


def test_settings_are_read_without_torch() -> None:
    code = "import sys, rote.config.loading, rote.config.job, rote.config.pretrain, rote.runs.folder, rote.runs.files;"
    code += "print({'torch', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "repetition.groups=[{name: a, exat: 1}]",
            "exat'; the nearest is 'repetition.groups.exact'",
        ),
        ("repetition.groups=[{name: a, zzqq: 1}]", "there are repetition.groups.name, repetition.groups.exact"),
    ],
)
def test_a_key_of_a_member_of_a_list_has_its_neighbours(change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(Config, None, [change])


@pytest.mark.parametrize("value", ["!!bool maybe", "!!timestamp abc", "!!int ''"])
def test_a_tag_that_does_not_fit_its_value_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"--set seed=!!.*a tag \(!!\) does not fit its value; write the value alone"):
        load_config(Config, None, [f"seed={value}"])


def test_a_folder_does_not_hide_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").mkdir()
    assert load_config(Config, Path("paper")) == load_config(Config, PRESET_FOLDER / "paper.yaml")


def test_a_preset_is_looked_for_by_its_name_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="mine: there is no such file or preset"):
        load_config(Config, tmp_path / "mine")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("memorize.epoch=3", "--set memorize.epoch=3: unknown setting 'memorize.epoch'"),
        ("memorise.epochs=3", "--set memorise.epochs=3: unknown setting 'memorise'"),
        ("memorize={epoch: 3}", "--set memorize={epoch: 3}: unknown setting 'memorize.epoch'"),
        ("memorize.epochs=many", "--set memorize.epochs=many: the setting 'memorize.epochs' is wrong"),
        ("seed=1", "mine.yaml: unknown setting 'retian'"),
    ],
)
def test_what_is_wrong_is_said_of_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("retian: {texts: 3}\n" if change == "seed=1" else "seed: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{re.escape(where)}"):
        load_config(Config, Path("mine.yaml"), [change])


def test_a_mistyped_preset_has_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"updat: there is no such file or preset \(--config\); did you mean update\?"
    ):
        load_config(Config, Path("updat"))
