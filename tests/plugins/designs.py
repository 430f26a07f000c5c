"""The designs that newsletter brings, so that what holds for one is tested for all."""

from pathlib import Path

from newsletter.render.template.loader import load_templates

DESIGNS = load_templates(Path(__file__).parents[2] / "templates").list_designs()
