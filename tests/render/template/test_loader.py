from pathlib import Path

import pytest
from designs import DESIGNS

from newsletter.errors import TemplateError
from newsletter.render.template.loader import Templates, load_templates


def test_loads_only_mjml_and_css_from_all_folders(tmp_path: Path) -> None:
    (tmp_path / "partials").mkdir()
    (tmp_path / "issue.mjml").write_bytes(b"\xef\xbb\xbf<mjml>\r\n</mjml>\r")
    (tmp_path / "partials" / "foot.mjml").write_text("<mj-text>å</mj-text>", encoding="utf-8")
    (tmp_path / "article.css").write_text("p { margin: 0 }")
    (tmp_path / "notes.txt").write_text("not a template")
    (tmp_path / "web.css").mkdir()

    templates = load_templates(tmp_path)

    assert dict(templates.files) == {
        "issue.mjml": "<mjml>\n</mjml>\n",
        "partials/foot.mjml": "<mj-text>å</mj-text>",
        "article.css": "p { margin: 0 }",
    }


def test_files_that_are_not_utf8_are_reported_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.mjml").write_bytes(b"<mjml>\n\n\xe5</mjml>")
    (tmp_path / "b.css").write_bytes(b"\xff")

    with pytest.raises(TemplateError) as caught:
        load_templates(tmp_path)

    assert [
        (
            problem.where and problem.where.path.rpartition("/")[2],
            problem.where and problem.where.line,
        )
        for problem in caught.value.problems
    ] == [("a.mjml", 3), ("b.css", 1)]


@pytest.mark.parametrize("exists", [True, False])
def test_folder_without_templates_is_an_error_with_a_remedy(
    tmp_path: Path, *, exists: bool
) -> None:
    folder = tmp_path if exists else tmp_path / "gone"
    with pytest.raises(TemplateError, match="newsletter init"):
        load_templates(folder)


def test_used_files_are_found_through_includes() -> None:
    templates = Templates(
        "templates",
        {
            "a.mjml": '{% extends "b.mjml" %}{%- include \'c.mjml\' %}{% include "gone.mjml" %}',
            "b.mjml": '{% from "d.mjml" import x %}{% include "a.mjml" %}',
            "c.mjml": "",
            "d.mjml": "",
            "other.mjml": "",
        },
    )
    assert templates.list_used_files("a.mjml") == ["a.mjml", "b.mjml", "c.mjml", "d.mjml"]
    assert templates.list_used_files("gone.mjml") == []


def test_designs_are_the_templates_with_an_article() -> None:
    templates = Templates(
        "templates",
        {
            "b.mjml": '{% include "partials/text.mjml" %}',
            "a.mjml": "<mj-text>{{ article }}</mj-text>",
            "confirm.mjml": "{{ articles }}",
            "partials/text.mjml": "<mj-text>{{- article -}}</mj-text>",
            "article.css": "",
            "c.css": "{{ article }}",
        },
    )
    assert templates.list_designs() == ["a", "b"]


def test_three_designs_are_shipped() -> None:
    assert DESIGNS == ["issue", "magazine", "plain"]
