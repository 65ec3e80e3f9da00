"""A person's text files: read within a limit, and YAML in which no key stands twice and nothing goes on without end.

What is wrong is a `ValueError` or a `yaml.YAMLError`, of which `rote.errors.explain_yaml` makes a line that begins with
the name of the file.
"""

import math
import stat
from pathlib import Path
from typing import Any

import yaml

from rote.errors import ConfigError, shorten
from rote.limits import describe_move, get_limit


def read_text(path: Path, *, limit: str) -> str:
    """The text of a UTF-8 file, within the limit of that name (`rote.limits`). Raises `ValueError` or `OSError`."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe may wait for ever, a device may have no end
        raise ValueError("it is no regular file; write the text to one")
    with path.open("rb") as file:
        content = file.read(get_limit(limit) + 1)
    if len(content) > get_limit(limit):
        raise ValueError(f"it is larger than {get_limit(limit):,} bytes; make it smaller, {describe_move(limit)}")
    return content.decode("utf-8")


def check_text(file: str | None, key: str) -> None:
    """Raise `ConfigError` for a file of texts that the setting `key` names and that cannot be read."""
    if file is None:
        return
    try:
        read_text(Path(file), limit="text-bytes")
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: there is no such text file (--set {key})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({error}); save it as UTF-8 (--set {key})") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read (--set {key}): {error}") from error


def load_yaml(text: str) -> Any:
    """What a YAML text holds, as plain data. Raises `ValueError` or `yaml.YAMLError`."""
    try:
        return yaml.load(text, _StrictLoader)  # it is a safe one
    except RecursionError as error:
        raise ValueError("it is nested without measure; write plain keys and values") from error
    except (KeyError, AttributeError, IndexError) as error:  # what the library raises for `!!bool maybe`
        raise ValueError("a tag (!!) does not fit its value; write the value alone") from error


class _StrictLoader(yaml.SafeLoader):
    """Refuses what the plain loader takes: keys that stand twice, of which the last would win, and endless aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._sizes: dict[int, float] = {}
        """How many values a node stands for, by its identity; the loader keeps all nodes alive."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node, of which is known how much it holds."""
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        assert node is not None
        if not is_alias:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _list_parts(node))
        limit = get_limit("settings-values")
        if self._sizes.get(id(node), math.inf) > limit:  # an alias of what it stands in has no size yet
            problem = f"holds more than {limit:,} values; write it without aliases, {describe_move('settings-values')}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping as it stands in the file, before other mappings are merged into it."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"the key {shorten(key.value)} stands twice; keep one of them"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return node


def _list_parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
