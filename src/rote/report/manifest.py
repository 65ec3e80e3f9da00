"""The manifest, all of it, as groups of names and values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rote.report.display import clean_text

GENERAL = "run"
TITLES = {"durations": "durations (seconds)"}


@dataclass(frozen=True)
class ManifestGroup:
    """One part of the manifest: `config`, `versions` ... with names as dotted paths."""

    name: str
    entries: tuple[tuple[str, str], ...]


def build_manifest(manifest: Mapping[str, Any]) -> list[ManifestGroup]:
    """A group per nested part, after one group of all that is not nested; the order is the manifest's."""
    plain = {name: value for name, value in manifest.items() if not isinstance(value, Mapping)}
    parts = [(GENERAL, plain), *((str(name), value) for name, value in manifest.items() if name not in plain)]
    groups = [ManifestGroup(clean_text(TITLES.get(name, name)), tuple(_flatten(value))) for name, value in parts]
    return [group for group in groups if group.entries]


def _flatten(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        inner = f"{path}{name}"
        if isinstance(item, Mapping) and item:
            yield from _flatten(item, f"{inner}.")
        else:
            yield clean_text(inner), clean_text(_format(item))


def _format(value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(_format(item) for item in value) or "none"
    return str(value)
