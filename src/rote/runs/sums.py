"""The sums of a run's files: what they were when the run ended, and whether they still are."""

from collections.abc import Collection
from pathlib import Path

from rote.errors import RunError
from rote.runs.files import compute_sum
from rote.runs.folder import RunFolder, read_json, write_json

_WEIGHTS = ".safetensors"


def write_sums(folder: RunFolder) -> None:
    """Write down what the files of a finished run are."""
    write_json(folder.sums, {name: compute_sum(folder.path / name, name) for name in _list_files(folder)})


def find_damage(folder: RunFolder, *, weights: bool = True, may_lack: Collection[str] = ()) -> str | None:
    """The first file of a finished run that is not there as it was written; of `weights` only on demand, as they are
    large. Files of the names `may_lack` may be gone. A run of a version that wrote no sums is taken as it is."""
    if not folder.sums.is_file():
        return None
    for name, expected in _read_sums(folder).items():
        path = folder.path / name
        if (path.suffix == _WEIGHTS and not weights) or (path.name in may_lack and not path.exists()):
            continue
        if not path.is_file() or compute_sum(path, name) != expected:
            return str(path)
    return None


def find_damaged_model(path: Path, *, may_lack: Collection[str]) -> Path | None:
    """Of the model of a finished run the first file that is not as it was written; None of any other folder. Files of
    the names `may_lack` may be gone."""
    folder = RunFolder(path.parent)
    if path not in (folder.model, folder.adapter) or not (folder.is_finished and folder.sums.is_file()):
        return None
    for name, expected in _read_sums(folder).items():
        file = folder.path / name
        if (path not in file.parents and file != folder.sums) or (file.name in may_lack and not file.exists()):
            continue
        if not file.is_file() or compute_sum(file, name) != expected:
            return file
    return None


def forget_end(folder: RunFolder) -> None:
    """Make a run look unfinished, as what it wrote is about to be written again."""
    folder.manifest.unlink(missing_ok=True)
    folder.sums.unlink(missing_ok=True)


def _read_sums(folder: RunFolder) -> dict[str, str]:
    """The sums; of a damaged file one that nothing has, so that it is found out itself."""
    try:
        content = read_json(folder.sums)
    except RunError:
        content = None
    is_sound = isinstance(content, dict) and content and all(map(_is_own, content))
    return content if is_sound else {folder.sums.name: ""}


def _is_own(name: str) -> bool:
    """Whether a name can be that of a file in a run's folder."""
    return bool(name) and name.isprintable() and not Path(name).is_absolute() and ".." not in Path(name).parts


def _list_files(folder: RunFolder) -> list[str]:
    """What a run wrote, but for pages, which people may change, and for what is written later; nothing of others."""
    own = [folder.identity, folder.config, folder.table, folder.retained, folder.knowledge, folder.side_effects]
    own += [folder.summary, folder.relations, folder.retention, folder.manifest]
    own += [folder.forgetting, folder.forgotten]
    manifest = read_json(folder.manifest)
    own += [folder.history(stage["name"]) for stage in manifest["stages"]]
    own += [folder.records(moment) for moment in (*manifest["moments"], *manifest.get("trials", ()))]
    for place in (folder.model, folder.adapter):
        own += [path for path in place.rglob("*") if path.suffix != ".md"]
    return sorted(path.relative_to(folder.path).as_posix() for path in own if path.is_file())
