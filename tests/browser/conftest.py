"""Fixtures: sample issues' emails in a real Chromium without a network."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route

from newsletter.config.urls import build_image_url
from newsletter.posts.read_issue import read_issue
from newsletter.posts.stills import make_drawn_name
from newsletter.project import ISSUE_NAME_PATTERN, Project, open_project
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates

ROOT = Path(__file__).parents[2]
ADDRESS = "https://mail.example/"
Scheme = Literal["light", "dark"]


@dataclass
class OpenedEmail:
    """An email in the browser, and its network requests."""

    page: Page
    images: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


class Samples:
    """The sample issues, rendered once each, and the URLs of their images."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._templates = load_templates(project.templates_dir)

    @cache  # noqa: B019 - one object, for the session
    def html(self, name: str, design: str) -> str:
        config = self._project.config
        issue = read_issue(self._project.issues_dir / name, config)
        return render_issue(replace(issue, template=design), self._templates, config).html

    def map_image_urls(self, name: str) -> dict[str, Path]:
        match = ISSUE_NAME_PATTERN.match(name)
        assert match
        return {
            build_image_url(self._project.config, match["slug"], image): file
            for file in (self._project.issues_dir / name).iterdir()
            if file.suffix in {".jpg", ".png"}
            for image in (file.name, make_drawn_name(file.name))  # a still, without its play sign
        }


class EmailOpener:
    """Opens a sample issue's email as a mail client would."""

    def __init__(self, browser: Browser, samples: Samples) -> None:
        self._browser = browser
        self._samples = samples

    def __call__(
        self,
        name: str,
        *,
        width: int = 375,
        scheme: Scheme = "light",
        images: bool = True,
        design: str = "",
    ) -> OpenedEmail:
        html = self._samples.html(name, design)
        files = self._samples.map_image_urls(name) if images else {}
        page = self._browser.new_page(viewport={"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        opened = OpenedEmail(page)

        def respond(route: Route) -> None:
            url = route.request.url
            if url == ADDRESS:
                route.fulfill(body=html, content_type="text/html; charset=utf-8")
                return
            is_image = route.request.resource_type == "image"
            (opened.images if is_image else opened.other).append(url)
            if url in files:
                route.fulfill(path=files[url])
            else:
                route.abort()

        page.route("**/*", respond)
        page.goto(ADDRESS)
        return opened


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples(open_project(ROOT))


@pytest.fixture
def open_email(browser: Browser, samples: Samples) -> Iterator[EmailOpener]:
    yield EmailOpener(browser, samples)
    for context in browser.contexts:
        context.close()
