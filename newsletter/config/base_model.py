"""Base class of the settings models: frozen, strict, no unknown keys."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class StrictModel(BaseModel):
    """A frozen model that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_sections(cls, raw_values: Any) -> Any:
        """Drop sections and lists without a value, so that their defaults apply.

        YAML reads a section whose lines are all commented out as null.
        """
        if raw_values is None:
            return {}
        if not isinstance(raw_values, dict):
            return raw_values
        defaults = {name: setting.default for name, setting in cls.model_fields.items()}
        return {
            name: value
            for name, value in raw_values.items()
            if value is not None or not isinstance(defaults.get(name), BaseModel | dict | tuple)
        }
