"""What all sections of ``newsletter.yml`` have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Strict(BaseModel):
    """Frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, given: Any) -> Any:
        """A section or list whose lines are all commented out is as good as absent."""
        if given is None:
            return {}
        if not isinstance(given, dict):
            return given
        defaults = {name: setting.default for name, setting in cls.model_fields.items()}
        return {
            name: value
            for name, value in given.items()
            if value is not None or not isinstance(defaults.get(name), BaseModel | dict | tuple)
        }
