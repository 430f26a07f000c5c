"""What all sections of ``newsletter.yml`` have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class StrictModel(BaseModel):
    """Frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_sections(cls, raw_values: Any) -> Any:
        """A section or list whose lines are all commented out is as good as absent."""
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
