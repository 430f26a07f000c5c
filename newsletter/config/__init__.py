"""``newsletter.yml`` and the environment, as one frozen ``Config``."""
