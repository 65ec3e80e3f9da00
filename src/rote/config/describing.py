"""The settings as a page: `docs/settings.md` is what this writes."""

from collections.abc import Iterator

from rote.config.strict import StrictConfig


def describe_settings(defaults: StrictConfig) -> str:
    """Every setting of a configuration with its default and its meaning, as Markdown."""
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *_describe(defaults, "")]) + "\n"


def _describe(defaults: StrictConfig, prefix: str) -> Iterator[str]:
    for name, field in type(defaults).model_fields.items():
        value = getattr(defaults, name)
        if isinstance(value, StrictConfig):
            yield f"| **`{prefix}{name}`** | | {' '.join((type(value).__doc__ or '').split())} |"
            yield from _describe(value, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{_format(value)}` | {' '.join((field.description or '').split())} |"


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_format(item) for item in value) + "]"
    if isinstance(value, StrictConfig):
        given = (name for name in type(value).model_fields if name in value.model_fields_set)
        return "{" + ", ".join(f"{name}: {_format(getattr(value, name))}" for name in given) + "}"
    return str(value)
