import marshal
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest
from jinja2.bccache import bc_magic

from newsletter.errors import TemplateError
from newsletter.render.template import loader
from newsletter.render.template.bytecode_cache import open_bytecode_cache
from newsletter.render.template.jinja_env import render_template
from newsletter.render.template.loader import load_templates

Render = Callable[[], str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder, which does not exist yet; no other test uses it."""
    monkeypatch.setattr(loader, "open_bytecode_cache", open_bytecode_cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "newsletter"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the templates that have been compiled."""
    names: list[str] = []
    compile_source = jinja2.Environment.compile

    def count(self: jinja2.Environment, source: str, name: str, filename: str) -> object:
        names.append(name)
        return compile_source(self, source, name, filename)

    monkeypatch.setattr(jinja2.Environment, "compile", count)
    return names


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Return a function that renders a template as a new process does."""
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "a.mjml").write_text("<p>{{ word }}</p>\n{% include 'b.css' %}")
    (templates / "b.css").write_text("p { color: {{ word }} }")
    return lambda: render_template(load_templates(templates), "a.mjml", {"word": "a'b"})


EXPECTED = "<p>a&#39;b</p>\np { color: a'b }"


def test_a_template_is_compiled_once_for_all_processes(
    folder: Path, render: Render, compiled: list[str]
) -> None:
    assert [render(), render(), render()] == [EXPECTED] * 3
    assert compiled == ["a.mjml", "b.css"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 2


@pytest.mark.usefixtures("folder")
def test_a_changed_template_is_compiled_again(
    tmp_path: Path, render: Render, compiled: list[str]
) -> None:
    render()
    (tmp_path / "templates/b.css").write_text("i {}")
    assert render() == "<p>a&#39;b</p>\ni {}"
    assert compiled == ["a.mjml", "b.css", "b.css"]


def test_projects_keep_their_own_templates(
    tmp_path: Path, folder: Path, render: Render, compiled: list[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "templates", other)
    (other / "b.css").write_text("other")
    for _ in range(2):
        assert render() == EXPECTED
        assert "other" in render_template(load_templates(other), "a.mjml", {"word": ""})
    assert len(compiled) == len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(
    folder: Path, render: Render, compiled: list[str], mode: int
) -> None:
    render()
    folder.chmod(mode)
    files = {path: path.read_bytes() for path in folder.iterdir()}
    assert render() == EXPECTED
    assert len(compiled) == 4
    assert {path: path.read_bytes() for path in folder.iterdir()} == files


@pytest.mark.parametrize(
    ("mode", "is_used"), [(0o775, False), (0o757, False), (0o1777, True), (0o755, True)]
)
def test_a_folder_in_which_others_can_rename_folders_is_not_used(
    folder: Path, render: Render, compiled: list[str], mode: int, *, is_used: bool
) -> None:
    render()
    folder.parent.chmod(mode)
    assert render() == EXPECTED
    assert len(compiled) == (2 if is_used else 4)


def test_a_folder_of_another_user_is_not_used(
    folder: Path, render: Render, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    render()
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert render() == EXPECTED
    assert len(compiled) == 4


def test_a_link_to_a_folder_is_not_used(tmp_path: Path, folder: Path, render: Render) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert render() == EXPECTED
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_link_above_the_folder_is_followed_once(
    tmp_path: Path, folder: Path, render: Render
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.parent.symlink_to(tmp_path / "elsewhere")
    cache = load_templates(tmp_path / "templates").bytecode_cache
    assert cache
    assert cache.directory == str((tmp_path / "elsewhere/newsletter").resolve())
    assert render() == EXPECTED


def test_a_file_in_the_place_of_the_folder_fails_no_build(folder: Path, render: Render) -> None:
    folder.parent.write_text("")
    assert render() == EXPECTED


def test_a_cache_that_cannot_be_written_fails_no_build(
    folder: Path, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    assert render() == EXPECTED
    assert not list(folder.iterdir())


@pytest.mark.parametrize("length", [0, 1, 2, 10, 30, 40, 60, 80, 100, 300])
def test_a_damaged_file_is_written_anew(
    folder: Path, render: Render, compiled: list[str], length: int
) -> None:
    render()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:length])
    assert render() == EXPECTED
    assert len(compiled) == 4
    assert render() == EXPECTED
    assert len(compiled) == 4


@pytest.mark.parametrize("data", [b"junk", b"j2" + b"\xff" * 99, b"\0" * 99])
def test_another_file_is_written_anew(folder: Path, render: Render, data: bytes) -> None:
    render()
    for path in folder.iterdir():
        path.write_bytes(data)
    assert render() == EXPECTED


def test_what_is_no_code_is_written_anew(folder: Path, render: Render, compiled: list[str]) -> None:
    render()
    for path in folder.iterdir():
        data = path.read_bytes()
        with path.open("rb") as file:
            file.seek(len(bc_magic))
            pickle.load(file)  # noqa: S301 - its own checksum
            path.write_bytes(data[: file.tell()] + marshal.dumps("text"))
    assert render() == EXPECTED
    assert len(compiled) == 4


@pytest.mark.usefixtures("folder")
def test_a_mistake_is_found_at_its_line_in_kept_code_too(tmp_path: Path, render: Render) -> None:
    render()
    (tmp_path / "templates/b.css").write_text("i {}\n{{ nothing }}")
    for _ in range(2):
        with pytest.raises(TemplateError) as caught:
            render()
        where = caught.value.problems[0].where
        assert where
        assert (where.path[-5:], where.line) == ("b.css", 2)


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"XDG_CACHE_HOME": "{}/x", "HOME": "{}"}, "x/newsletter"),
        ({"XDG_CACHE_HOME": "", "HOME": "{}"}, ".cache/newsletter"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}"}, ".cache/newsletter"),
        ({"HOME": "{}"}, ".cache/newsletter"),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], place: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    values = {name: value.format(tmp_path) for name, value in environ.items()}
    cache = open_bytecode_cache(tmp_path, values)
    assert (cache and cache.directory) == (place and str(tmp_path / place))
    assert [path.name for path in tmp_path.iterdir()] == ([place.split("/")[0]] if place else [])
