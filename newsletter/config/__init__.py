"""Settings: newsletter.yml and the environment as one frozen ``Config``."""

from newsletter.config.load import load_config
from newsletter.config.models import Config
from newsletter.config.scaffold_placeholders import find_placeholders

__all__ = ["Config", "find_placeholders", "load_config"]
