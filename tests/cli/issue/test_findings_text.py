"""How findings are printed for people."""

import pytest
from wcwidth import wcswidth

from newsletter.checks.finding import Finding, Severity
from newsletter.cli.issue.findings_text import print_findings, print_summary
from newsletter.errors import Location

POST = "issues/x/post.md"


def make(rule: str, line: int | None, severity: Severity = "warning", path: str = POST) -> Finding:
    where = Location(path, line) if path else None
    return Finding(rule, severity, f"{rule} at {line}", where, "", "It hurts.", "Mend it.")


def make_long(message: str) -> Finding:
    return Finding("lost-content", "hint", message, Location("a.md", 12), "", "", "")


@pytest.mark.parametrize(
    ("findings", "printed"),
    [
        ([], []),
        ([make("a", 3)], [POST, "   3  warning  a  a at 3", "Mend it."]),
        ([make("a", 3, "hint")], [POST, "   3  hint     a  a at 3"]),
        ([make("a", None)], [POST, "      warning  a  a at None", "Mend it."]),
        (
            [make("a", 5), make("a", 3)],
            [POST, "   3  warning  a  2 places: post.md:3, :5", "such as: a at 3", "Mend it."],
        ),
        (
            [make("a", line, "hint") for line in (9, 3, 5)],
            [POST, "   3  hint     a  3 places: post.md:3, :5, :9", "such as: a at 3"],
        ),
        (
            [make("a", line, "hint") for line in (1, 2, 3, 4)],
            [POST, "   1  hint     a  4 places: post.md:1, :2, :3 and 1 more", "such as: a at 1"],
        ),
        (
            [make("a", line, "hint") for line in (2, 2, 2, None)],
            [POST, "      hint     a  4 places: post.md:2 and 1 more", "such as: a at None"],
        ),
        (
            [make("a", None, "hint"), make("a", None, "hint")],
            [POST, "      hint     a  2 places", "such as: a at None"],
        ),
        (
            [make("b", 1, "hint"), make("a", 9, "error"), make("c", 2, "hint")],
            [POST, "   9  error    a  a at 9", "Mend it.", "   1  hint     b  b at 1",
             "   2  hint     c  c at 2"],
        ),
        (
            [make("b", 7, "hint", "newsletter.yml"), make("b", 8, "hint"),
             make("b", 2, "hint", "")],
            [POST, "      hint     b  2 places: post.md:8 and 1 more", "such as: b at 2",
             "newsletter.yml", "   7  hint     b  b at 7"],
        ),
    ],
)  # fmt: skip
def test_findings(
    capsys: pytest.CaptureFixture[str], findings: list[Finding], printed: list[str]
) -> None:
    print_findings(findings, POST)
    lines = capsys.readouterr().out.splitlines()
    assert [line if line in printed else line.strip() for line in lines] == printed


def test_verbose_prints_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings([make("a", 5, "hint"), make("a", 3, "hint")], POST, every=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [POST, "   3  hint     a  a at 3", "   5  hint     a  a at 5"]


@pytest.mark.parametrize(
    ("findings", "every", "text"),
    [
        ([], False, "No problems found in 1.0 s."),
        ([make("a", 1)], False, "1 warning, 0 errors, 0 hints in 1.0 s"),
        (
            [make("a", 1), make("a", 2)],
            False,
            "2 warnings, 0 errors, 0 hints in 1.0 s; list them all with -v",
        ),
        ([make("a", 1), make("a", 2)], True, "2 warnings, 0 errors, 0 hints in 1.0 s"),
        ([make("a", 1), make("b", 2, "hint")], False, "1 warning, 1 hint, 0 errors in 1.0 s"),
    ],
)
def test_summary(
    capsys: pytest.CaptureFixture[str], findings: list[Finding], *, every: bool, text: str
) -> None:
    print_summary(findings, 1.0, every=every)
    assert capsys.readouterr().out == f"{text}\n"


@pytest.mark.parametrize(
    "message",
    [
        "'港の朝は静かで、船はつながれたままだった。風がいつやむのか誰も知らない。' is in Japanese",
        "'서울의 아침은 배는 묶여 있었다 바람이 언제 그칠지 아무도 모른다' is in Korean",
        "'הסירות היו קשורות מאז יום שלישי ואיש על הרציף לא ידע מתי תיחלש הרוח' is in Hebrew",
        "'เรือถูกผูกไว้และไม่มีใครบนท่าเรือรู้ว่าลมจะสงบเมื่อใดและเมื่อใดจะออกไปได้อีก' is in Thai",
        "the title has '" + "\x1b[31m" * 6 + "' and \x1b[0m more words in it",
        "'🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀' has no word",
        f"'{'x' * 100}' is one word",
    ],
)
def test_lines_are_at_most_80_columns_wide(
    message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_findings([make_long(message)], "a.md")
    out = capsys.readouterr().out
    assert max(map(wcswidth, out.splitlines())) <= 80
    printed = "".join(char for char in out if char.isalnum())
    assert "".join(char for char in message.replace("\x1b", "x1b") if char.isalnum()) in printed


def test_a_url_stays_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"https://tides.example/{'a' * 90}"
    finding = make_long(f"{url} is not a URL")
    print_findings([finding], "a.md")
    assert url in capsys.readouterr().out


def test_right_to_left_text_is_isolated_in_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    message = f"'{'הסירות היו קשורות ' * 6}' is in Hebrew"
    print_findings([make_long(message)], "a.md")
    lines = [line for line in capsys.readouterr().out.splitlines() if "ה" in line]
    assert len(lines) > 1
    assert all(line.count("\u2068") == line.count("\u2069") == 1 for line in lines)
    assert all(line.index("\u2068") > 20 for line in lines)
