"""The licence of a base model, as far as its card, its config or the list of fetchable models says it."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from rote.models.fetching import FETCHABLE
from rote.models.folders import is_file
from rote.models.loading import find_model_folder
from rote.runs.manifest import find_snapshot
from rote.text_files import load_yaml

_KEYS = ("license", "license_name", "license_link")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""What the hub calls a licence it knows."""


def read_licence(source: str, revision: str | None = None) -> dict[str, str]:
    """The keys of a model card that say a licence: `license` and, of one the hub has no name for, what it is called and
    where it stands. Nothing where the base model does not say it; a licence is never guessed."""
    if source in FETCHABLE:
        model = FETCHABLE[source]
        return _name(model.licence.lower() if model.is_open else model.licence, model.terms)
    folder = find_model_folder(source)
    if not folder.is_dir():
        folder = find_snapshot(source, revision) or folder
    said = _read_header(folder / "README.md")
    if isinstance(said.get("license"), str):
        return {key: str(said[key]) for key in _KEYS if said.get(key)}
    named = _read_config(folder / "config.json").get("license")
    return _name(named) if isinstance(named, str) and named.strip() else {}


def _name(licence: str, link: str | None = None) -> dict[str, str]:
    if _ID.fullmatch(licence):
        return {"license": licence}
    slug = re.sub(r"[^a-z0-9]+", "-", licence.lower()).strip("-")
    return {"license": "other", "license_name": slug, **({"license_link": link} if link else {})}


def _read_header(card: Path) -> dict[str, Any]:
    """The YAML at the begin of a card; nothing where there is none, or it is damaged."""
    try:
        begin, header, _ = card.read_text(encoding="utf-8").split("---\n", 2) if is_file(card) else ("", "", "")
        content = load_yaml(header) if not begin else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _read_config(config: Path) -> dict[str, Any]:
    try:
        content = json.loads(config.read_text(encoding="utf-8")) if is_file(config) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
