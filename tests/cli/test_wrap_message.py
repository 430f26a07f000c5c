"""Messages are wrapped at words; what is to be copied stays whole."""

import pytest

from newsletter.cli.output import wrap_problem
from newsletter.cli.wrap_message import wrap_message
from newsletter.errors import Location, Problem

WHOLE = {
    "command in backticks": "`newsletter send the-ice --at '2026-12-01 09:00'`",
    "path in quotes": "'my posts/the ice and the boats.md'",
    "URL": "https://harbour-notes.org/issues/the-ice-and-the-boats/?a=b",
    "placeholder in a path": "issues/2026-12-01-the-ice/post.md:12:",
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=list(WHOLE))
@pytest.mark.parametrize("width", [20, 50, 66])
def test_what_is_copied_is_never_broken(whole: str, width: int) -> None:
    text = f"the post says too little of the ice {whole} and of the boats at the quay"
    lines = wrap_message(text, width).split("\n")
    assert sum(whole in line for line in lines) == 1
    assert " ".join(line.strip() for line in lines) == text
    assert all(len(line) <= width for line in lines if whole not in line)
    assert all(line[:2] == "  " and line[2] != " " for line in lines[1:])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "no key is set. Create one, then: export SENDGRID_API_KEY=SG.…",
            ["no key is set. Create one, then:", "  export SENDGRID_API_KEY=SG.…"],
        ),
        (
            "it is held. Cancel it with: newsletter cancel the-ice. Then send it",
            ["it is held. Cancel it with:", "  newsletter cancel the-ice. Then send", "  it"],
        ),
        (
            "it is held. Go on with: newsletter resume the-ice (or wait)",
            ["it is held. Go on with:", "  newsletter resume the-ice (or wait)"],
        ),
        ("日本 語の 長い 名前の ある 手紙 です そして 続き ます", None),
        (
            "unknown tag here:\n  tag:vip and not opened:last-5 and city:Rom\n  ^^^^\nDo it.",
            [
                "unknown tag here:",
                "  tag:vip and not opened:last-5 and city:Rom",
                "  ^^^^",
                "Do it.",
            ],
        ),
        (
            f"it is wrong:\n{'name: ' * 9}\n      ^^^^^^^\n",
            ["it is wrong:", "name: " * 9, "      ^^^^^^^", ""],
        ),
        ("", [""]),
        ("a" * 60 + " b", ["a" * 60, "  b"]),
    ],
)
def test_messages_are_wrapped(text: str, lines: list[str] | None) -> None:
    wrapped = wrap_message(text, 40).split("\n")
    assert wrapped == (lines or ["日本 語の 長い 名前の ある 手紙 です", "  そして 続き ます"])
    assert wrap_message(text, None) == text


@pytest.mark.parametrize(
    "text", ["'" + "." * 300_000, "'/" * 100_000, "`" * 300_001, "^ " * 100_000]
)
def test_time_grows_with_the_length_only(text: str) -> None:
    assert wrap_message(text, 80).replace("\n  ", " ") == text  # hours, if it were the square


def test_path_with_spaces_stays_whole_at_any_width() -> None:
    where = Location("issues/2026-12-01-the ice and boats/post.md", 3)
    problem = Problem("there is no title here", where, "Add one.")
    assert wrap_problem(problem, 20, first_indent="newsletter: ").split("\n") == [
        "newsletter: issues/2026-12-01-the ice and boats/post.md:3:",
        "  there is no title",
        "  here. Add one.",
    ]
    assert "\n" not in wrap_problem(problem, None, first_indent="newsletter: ")
