"""The base of every configuration: frozen, strict, and clear about unknown keys."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class StrictConfig(BaseModel):
    """A frozen set of settings that refuses keys it does not have.

    A part that is given in part keeps the rest of what it is by default in its place, which may differ from what its
    class has by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _complete_parts(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        completed = dict(content)
        for name, value in content.items():
            default = cls.model_fields[name].default if name in cls.model_fields else None
            if isinstance(default, StrictConfig) and isinstance(value, Mapping):
                completed[name] = default.complete(value)
        return completed

    def complete(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """These settings with some of them changed, as plain data; what is wrong with it is found when it is read."""
        completed: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name, value in changes.items():
            inner = completed.get(name)
            nested = isinstance(inner, StrictConfig) and isinstance(value, Mapping)
            completed[name] = inner.complete(value) if nested and inner else value
        return completed
