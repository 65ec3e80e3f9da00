"""Checkpoints: no pickle, one at a time, and a damaged one is said to be damaged."""

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.training.conftest import STEPS, build_model, build_plan, build_settings, copy_weights, have_same_weights

from rote.errors import RunError
from rote.training.checkpoints import LoopState, load_checkpoint, load_state, save_checkpoint, save_state
from rote.training.loop import Checkpointing, run_loop
from rote.training.optimizer import build_optimizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The checkpoints of a run that has just ended."""
    run_loop(build_model(), build_plan(), build_settings(), checkpointing=Checkpointing(tmp_path / "c", -1.0))
    return tmp_path / "c"


def test_nothing_is_pickled_and_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    names: list[list[str]] = []
    run_loop(
        build_model(),
        build_plan(),
        build_settings(),
        checkpointing=Checkpointing(tmp_path / "c", every_seconds=-1.0),
        on_progress=lambda *_: names.append([path.name for path in tmp_path.glob("c/*")]),
    )
    assert [sorted(kept) for kept in names[2:]] == [
        [f"step-{step - 1:08d}", f"step-{step:08d}"] for step in range(2, STEPS)
    ]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert len(files) == 2 * 4
    steps = {json.loads(state.read_text())["step"] for state in tmp_path.rglob("state.json")}
    assert steps == {STEPS - 1, STEPS}
    for path in tmp_path.rglob("*.safetensors"):
        header = int.from_bytes(path.read_bytes()[:8], "little")
        assert json.loads(path.read_bytes()[8 : 8 + header])


@pytest.mark.parametrize("name", ["step-00000009.draft", "step-00000005.draft"])
def test_a_half_written_checkpoint_is_ignored(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    (folder / name / "model.safetensors").write_bytes(b"half")
    model, whole = build_model(seed=3), build_model()
    run_loop(whole, build_plan(), build_settings())
    state = run_loop(model, build_plan(), build_settings(), checkpointing=Checkpointing(folder))
    assert state.step == STEPS
    assert have_same_weights(model, copy_weights(whole))


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    model = build_model()
    for folder in (tmp_path, tmp_path / "missing"):
        assert load_checkpoint(folder, model, build_optimizer(model, build_settings())) is None


def cut(name: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: len(content) // 2])

    return damage


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        (path / name).write_bytes(content)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        *(cut(name) for name in ("model.safetensors", "optimizer.safetensors", "state.json")),
        *(write(name, b"") for name in ("model.safetensors", "optimizer.safetensors", "state.json")),
        *(remove(name) for name in ("model.safetensors", "optimizer.safetensors", "state.json")),
        *(write("state.json", text) for text in (b"{}", b"[]", b'{"step": 5}', b'{"step": 5, "history": 0}', b"\xff")),
    ],
)
def test_a_damaged_checkpoint_is_one_clear_line(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder / f"step-{STEPS:08d}")
    shutil.rmtree(folder / f"step-{STEPS - 1:08d}")
    with pytest.raises(RunError, match=r"step-00000005.*: is damaged or .*; delete its folder to start over") as caught:
        run_loop(build_model(), build_plan(), build_settings(), checkpointing=Checkpointing(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"hidden_size": 16}, {"num_hidden_layers": 3}, {"vocab_size": 44}, {"intermediate_size": 32}]
)
def test_the_checkpoint_of_another_model_is_refused(folder: Path, changes: dict[str, int]) -> None:
    with pytest.raises(RunError, match="is damaged or does not fit the model"):
        run_loop(build_model(**changes), build_plan(), build_settings(), checkpointing=Checkpointing(folder))


def flip(name: str) -> Callable[[Path], None]:
    """One bit in the middle, which leaves a file that can be read."""

    def damage(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (path / name).write_bytes(content)

    return damage


def say_another_step(path: Path) -> None:
    content = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**content, "step": 2}))


@pytest.mark.parametrize(
    "damage",
    [*(flip(name) for name in ("model.safetensors", "optimizer.safetensors", "state.json")), say_another_step],
)
def test_training_goes_on_from_the_checkpoint_before_a_damaged_one(
    folder: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder / f"step-{STEPS:08d}")
    model, whole = build_model(seed=3), build_model()
    run_loop(whole, build_plan(), build_settings())
    run_loop(model, build_plan(), build_settings(), checkpointing=Checkpointing(folder))
    assert "step-00000005: is damaged or of other work; going on from step-00000004" in caplog.text
    assert have_same_weights(model, copy_weights(whole))


def test_the_checkpoints_of_other_work_are_refused(folder: Path) -> None:
    with pytest.raises(RunError, match=r"step-00000005: is damaged or of other work; delete its folder to start over"):
        run_loop(build_model(), build_plan(), build_settings(), checkpointing=Checkpointing(folder, owner="other"))


@contextmanager
def limit_files(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: what a full disk does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_space_is_one_clear_line_and_leaves_the_last_checkpoint(folder: Path) -> None:
    model = build_model(seed=4)
    with limit_files(10_000), pytest.raises(RunError, match=r"cannot be written .*free some space"):
        save_checkpoint(folder, model, build_optimizer(model, build_settings()), LoopState(6, []))
    assert max(path.name for path in folder.iterdir()) == f"step-{STEPS:08d}"
    assert run_loop(model, build_plan(), build_settings(), checkpointing=Checkpointing(folder)).step == STEPS


def test_a_checkpoint_can_be_moved(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "elsewhere")
    model = build_model(seed=2)
    state = load_checkpoint(tmp_path / "elsewhere", model, build_optimizer(model, build_settings()))
    assert state is not None
    assert [entry["step"] for entry in state.history] == list(range(1, STEPS + 1))


def test_what_is_kept_of_a_finished_model_is_its_weights_alone(folder: Path, tmp_path: Path) -> None:
    trained = build_model()
    run_loop(trained, build_plan(), build_settings())
    save_state(trained, tmp_path / "state.safetensors")
    model = build_model(seed=3)
    load_state(model, tmp_path / "state.safetensors")
    assert have_same_weights(model, copy_weights(trained))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert (tmp_path / "state.safetensors").stat().st_size < 0.4 * size, "the optimizer's state is twice the weights"


def test_a_damaged_state_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(b"no weights")
    with pytest.raises(RunError, match=r"state\.safetensors: is damaged or does not fit the model"):
        load_state(build_model(), tmp_path / "state.safetensors")
