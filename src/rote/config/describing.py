"""The settings as a page: `docs/settings.md` is what this writes."""

from collections.abc import Iterator

from rote.config.strict import StrictConfig


def describe_settings(kind: type[StrictConfig]) -> str:
    """Every setting of a configuration with its default and its meaning, as Markdown."""
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *_describe(kind, "")]) + "\n"


def _describe(kind: type[StrictConfig], prefix: str) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, StrictConfig):
            yield f"| **`{prefix}{name}`** | | {' '.join((inner.__doc__ or '').split())} |"
            yield from _describe(inner, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{_format(field.default)}` | {' '.join((field.description or '').split())} |"


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)
