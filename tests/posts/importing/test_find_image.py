"""Which files a post from a stranger can put into an issue: those beside it, and no others."""

import datetime
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.errors import PostError
from newsletter.posts.importing.import_post import ImportOptions, import_post
from newsletter.posts.importing.issue_folder.write_issue import ImportResult
from newsletter.project import Project

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody could say when the wind would stop."
)
SECRET_SIZE = (7, 5)


@pytest.fixture
def project(tmp_path: Path, config: Config, png: Callable[[int, int], bytes]) -> Project:
    """A project beside an inbox with a post's folder, and a secret picture outside that."""
    folder = tmp_path / "inbox" / "posts"
    (folder / "img").mkdir(parents=True)
    (tmp_path / "inbox" / "assets" / "img").mkdir(parents=True)
    (tmp_path / "inbox" / "assets" / "img" / "gull.png").write_bytes(png(3, 3))
    (tmp_path / "secret").mkdir()
    secret = tmp_path / "secret" / "passport.png"
    secret.write_bytes(png(*SECRET_SIZE))
    (tmp_path / "inbox" / "assets" / "tern.png").write_bytes(png(3, 3))
    (folder / "img" / "boat.png").write_bytes(png(2, 2))
    (folder / "link.png").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path / "secret")
    (folder / "inside.png").symlink_to("img/boat.png")
    (tmp_path / "inbox" / "assets" / "link.png").symlink_to(secret)
    (tmp_path / "inbox" / "posts-of-others").mkdir()
    (tmp_path / "inbox" / "posts-of-others" / "passport.png").write_bytes(png(*SECRET_SIZE))
    os.mkfifo(folder / "fifo.png")
    return Project(tmp_path / "project", config)


def import_text(project: Project, text: str, *images: Path) -> ImportResult:
    post = project.root.parent / "inbox" / "posts" / "tide.md"
    post.write_text(text)
    options = ImportOptions(today=datetime.date(2026, 11, 22), images=images)
    return import_post(project, str(post), options)


def copied_pictures(result: ImportResult, png: Callable[[int, int], bytes]) -> list[str]:
    """Return the names of the issue's pictures; no file anywhere in it is the secret one."""
    files = [path for path in result.post_path.parent.rglob("*") if path.is_file()]
    assert png(*SECRET_SIZE) not in [path.read_bytes() for path in files]
    return sorted(path.name for path in files if path.suffix in {".png", ".svg"})


ATTACKS = [
    "~/../../secret/passport.png",
    "@/../../secret/passport.png",
    "../../secret/passport.png",
    "../../../../../../../..{root}/secret/passport.png",
    "%2e%2e/%2e%2e/secret/passport.png",
    "..%2F..%2Fsecret%2Fpassport.png",
    "%252e%252e/%252e%252e/secret/passport.png",
    "img/../../../secret/passport.png",
    "./../../secret/passport.png?a#b",
    "..\\\\..\\\\secret\\\\passport.png",
    "..%5C..%5Csecret%5Cpassport.png",
    "../posts-of-others/passport.png",
    "link.png",
    "LINK.PNG",
    "folder/passport.png",
    "{root}/secret/passport.png",
    "//{root}/secret/passport.png",
    "///{root}/secret/passport.png",
    "file://{root}/secret/passport.png",
    "FILE:{root}/secret/passport.png",
    "C:/secret/passport.png",
    "..%2F..%2Fsecret%2Fpassport.png%00.png",
    "fifo.png",
    "/dev/zero",
    "../../../../../../../../../../dev/zero",
    "../../../../../../../../../../proc/self/environ",
    "a" * 5_000 + ".png",
    "../" * 2_000 + "etc/passwd",
]


@pytest.mark.parametrize("reference", ATTACKS, ids=lambda reference: reference[:40])
@pytest.mark.parametrize(
    "post",
    [
        "---\ntitle: Low tide\n---\n{sentence}\n\n![A boat]({reference})\n",
        "---\ntitle: Low tide\n---\n{sentence}\n\n<img src='{reference}' alt='A boat'>\n",
        "---\ntitle: Low tide\nhero: '{reference}'\n---\n{sentence}\n",
        "---\ntitle: Low tide\nhero:\n  src: '{reference}'\n---\n{sentence}\n",
        "---\ntitle: Low tide\ncover: '{reference}'\n---\n{sentence}\n",
        "---\ntitle: Low tide\nauthor:\n  name: Bo\n  picture: '{reference}'\n---\n{sentence}\n",
        """---
title: Low tide
further: [{title: A, url: "https://a.example", picture: {src: '{reference}'}}]
---
{sentence}
""",
    ],
    ids=["markdown", "html", "hero", "hero.src", "cover", "author", "further"],
)
def test_no_picture_from_elsewhere_gets_into_an_issue(
    project: Project, png: Callable[[int, int], bytes], post: str, reference: str
) -> None:
    path = reference.replace("{root}", str(project.root.parent))
    text = post.replace("{reference}", path).replace("{sentence}", SENTENCE)
    result = import_text(project, text, project.root.parent / "inbox" / "assets")
    assert copied_pictures(result, png) == []


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("../../secret/passport.png", "is outside the post's folder"),
        ("../../secret/nothing.png", "is outside the post's folder"),
        ("link.png", "is a symbolic link to a file outside the post's folder"),
        ("folder/passport.png", "is a symbolic link to a file outside the post's folder"),
        ("file:///secret/passport.png", "has the path of one computer"),
        ("C:/secret/passport.png", "has the path of one computer"),
    ],
)
def test_picture_from_elsewhere_stays_a_reference_and_its_remedy_is_said(
    project: Project, reference: str, message: str
) -> None:
    result = import_text(project, f"# Low tide\n\n{SENTENCE}\n\n![A boat]({reference})\n")
    (problem,) = result.not_copied
    assert problem.message == f"the image '{reference}' {message}"
    assert problem.where is not None
    assert problem.where.line == 5
    assert "beside the post" in problem.remedy
    assert "--images FOLDER" in problem.remedy
    assert f"![A boat]({reference})" in result.post_path.read_text()


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("img/boat.png", "boat.png"),
        ("./img/../img/boat.png", "boat.png"),
        ("inside.png", "inside.png"),
        ("../assets/tern.png", "tern.png"),
        ("../posts/img/boat.png", "boat.png"),
        ("/tern.png", "tern.png"),
        ("/tern.png?v=2", "tern.png"),
        ("%2Ftern.png", "tern.png"),
        ("@/tern.png", "tern.png"),
        ("~/tern.png", "tern.png"),
        ("@img/gull.png", "gull.png"),
    ],
)
def test_picture_in_the_post_s_or_a_named_folder_is_copied(
    project: Project, png: Callable[[int, int], bytes], reference: str, name: str
) -> None:
    text = f"---\ntitle: Low tide\nhero: '{reference}'\n---\n{SENTENCE}\n\n![A]({reference})\n"
    result = import_text(project, text, project.root.parent / "inbox" / "assets")
    assert copied_pictures(result, png) == [name]
    assert result.not_copied == ()


@pytest.mark.parametrize("reference", ["/gone.png", "/link.png", "/../tern.png", "/"])
def test_other_path_from_the_root_stays_a_url(project: Project, reference: str) -> None:
    text = f"# Low tide\n\n{SENTENCE}\n\n![A boat]({reference})\n"
    result = import_text(project, text, project.root.parent / "inbox" / "assets")
    assert (result.image_names, result.not_copied) == ((), ())
    assert f"![A boat]({reference})" in result.post_path.read_text()


def test_picture_that_cannot_be_read_is_told_with_its_line(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr("imagesize.get", fail)
    message = r"tide\.md:5: the image 'img/boat\.png' can't be read: input/output error"
    with pytest.raises(PostError, match=message):
        import_text(project, f"# Low tide\n\n{SENTENCE}\n\n![A boat](img/boat.png)\n")


@pytest.mark.parametrize("reference", ["fifo.png", "loop.png", "loop.png/boat.png"])
def test_picture_that_is_no_file_is_not_copied(
    project: Project, png: Callable[[int, int], bytes], reference: str
) -> None:
    (project.root.parent / "inbox" / "posts" / "loop.png").symlink_to("loop.png")
    result = import_text(project, f"# Low tide\n\n{SENTENCE}\n\n![A boat]({reference})\n")
    assert copied_pictures(result, png) == []


def test_named_folders_are_searched_in_their_order(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    inbox = project.root.parent / "inbox"
    (inbox / "more").mkdir()
    (inbox / "more" / "tern.png").write_bytes(png(9, 9))
    (inbox / "more" / "gull.png").write_bytes(png(8, 8))
    text = f"# Low tide\n\n{SENTENCE}\n\n![A tern](/tern.png) ![A gull](/gull.png)\n"
    result = import_text(project, text, inbox / "assets", inbox / "more")
    folder = result.post_path.parent
    assert (folder / "tern.png").read_bytes() == png(3, 3)
    assert (folder / "gull.png").read_bytes() == png(8, 8)


@pytest.mark.parametrize(
    "link",
    [
        "[![A]({})](/tern.png)",
        "[A [tern]](/tern.png) ![A]({})",
        '<a href="/tern.png"><img src="{}" alt="A"></a>',
        "[![A][1]](</tern.png>)\n\n[1]: {}",
    ],
)
def test_link_to_an_image_stays_a_link_to_the_blog(project: Project, link: str) -> None:
    text = f"# Low tide\n\n{SENTENCE}\n\n{link.format('/tern.png')}\n"
    result = import_text(project, text, project.root.parent / "inbox" / "assets")
    assert result.post_path.read_text().endswith(f"\n\n{link.format('tern.png')}\n")


def test_named_folder_may_be_a_link(project: Project, png: Callable[[int, int], bytes]) -> None:
    link = project.root.parent / "pictures"
    link.symlink_to(project.root.parent / "inbox" / "assets")
    result = import_text(project, f"# Low tide\n\n{SENTENCE}\n\n![A tern](/tern.png)\n", link)
    assert copied_pictures(result, png) == ["tern.png"]


def test_hard_link_beside_the_post_is_a_picture_like_any_other(project: Project) -> None:
    posts = project.root.parent / "inbox" / "posts"
    (posts / "hard.png").hardlink_to(posts / "img" / "boat.png")
    result = import_text(project, f"# Low tide\n\n{SENTENCE}\n\n![A boat](hard.png)\n")
    assert result.image_names == ("hard.png",)


def test_names_that_differ_in_case_do_not_overwrite_each_other(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    inbox = project.root.parent / "inbox"
    (inbox / "assets" / "BOAT.png").write_bytes(png(4, 4))
    (inbox / "posts" / "boat.png").write_bytes(png(6, 6))
    text = f"# Low tide\n\n{SENTENCE}\n\n![](boat.png) ![](../assets/BOAT.png)\n"
    result = import_text(project, text, inbox / "assets")
    assert sorted(result.image_names) == ["BOAT-2.png", "boat.png"]
    assert "![](boat.png) ![](BOAT-2.png)" in result.post_path.read_text()


def test_svg_with_a_script_is_not_copied_and_the_remedy_is_said(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    posts = project.root.parent / "inbox" / "posts"
    start = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    (posts / "evil.svg").write_text(f"{start}<script>alert(1)</script></svg>")
    (posts / "plain.svg").write_text(f"{start}<rect/></svg>")
    (posts / "sizeless.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>')
    images = "![A](evil.svg)\n![A](plain.svg)\n![A](sizeless.svg)\n"
    result = import_text(project, f"# Low tide\n\n{SENTENCE}\n\n{images}")
    assert copied_pictures(result, png) == ["plain.svg", "sizeless.svg"]
    (problem,) = result.not_copied
    assert problem.message == "the image 'evil.svg' can't be published: it holds a script"
    assert problem.where is not None
    assert problem.where.line == 5
    assert "as PNG" in problem.remedy
