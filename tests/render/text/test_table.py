"""Tables as plain text."""

from textwrap import dedent

import pytest

from newsletter.render.text.article import render_article_text


def to_text(rows: list[str], head: str = "", width: int = 72) -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return render_article_text(
        f"<table><thead>{head}</thead><tbody>{body}</tbody></table>", width=width
    )


HEAD = "<tr><th>Moon</th><th>Japan</th><th>Range</th></tr>"
ROWS = [
    "<td>New or full</td><td>\u5927\u6f6e \u014dshio</td><td>3.8</td>",
    "<td><b>Half</b></td><td>\u5c0f\u6f6e koshio</td><td>12.4</td>",
]


def test_columns_are_aligned_and_numbers_right_aligned() -> None:
    assert to_text(ROWS, HEAD) == dedent("""\
        Moon         Japan        Range
        -----------  -----------  -----
        New or full  \u5927\u6f6e \u014dshio     3.8
        Half         \u5c0f\u6f6e koshio   12.4
        """)


def test_wide_table_becomes_records() -> None:
    assert to_text(ROWS, HEAD, width=24) == dedent("""\
        Moon: New or full
        Japan: \u5927\u6f6e \u014dshio
        Range: 3.8

        Moon: Half
        Japan: \u5c0f\u6f6e koshio
        Range: 12.4
        """)


def test_long_record_values_are_wrapped() -> None:
    text = to_text([f"<td>{'tide ' * 12}</td><td>x</td>"], "<tr><th>A</th><th>B</th></tr>", 30)

    assert text == "A: tide tide tide tide tide\n  tide tide tide tide tide\n  tide tide\nB: x\n"


def test_alignment_is_respected() -> None:
    rows = ['<td style="text-align:right">3 m</td>', '<td align="right">12 m</td>']

    assert to_text(rows, "<tr><th>Range</th></tr>") == "Range\n-----\n  3 m\n 12 m\n"


@pytest.mark.parametrize(
    "number", ["-3.5", "\u22123", "1 000,50", "12 %", "\u20ac5", "~4", "06:50"]
)
def test_numbers_are_recognized(number: str) -> None:
    assert to_text([f"<td>{number}</td>"], "<tr><th>A long heading</th></tr>").endswith(
        f" {number}\n"
    )


def test_links_in_cells_are_numbered() -> None:
    text = to_text(['<td><p><a href="https://a.example/">A</a><br>b</p></td><th>c</th>'])

    assert text == "A [1] b  c\n\n[1] https://a.example/\n"


def test_caption_is_above_the_table() -> None:
    text = render_article_text(
        "<table><caption>Tides</caption><tr><th>A</th></tr><tr><td>b</td></tr></table>"
    )

    assert text == "Tides\nA\n-\nb\n"


def test_cells_may_span_columns_and_rows() -> None:
    head = '<tr><th colspan="2">Water</th><th>When</th></tr>'
    rows = [
        '<td rowspan="2">high</td><td>springs</td><td>full moon</td>',
        "<td>neaps</td><td>half moon</td>",
    ]

    assert to_text(rows, head) == dedent("""\
        Water          When
        ----  -------  ---------
        high  springs  full moon
              neaps    half moon
        """)


def test_cell_over_several_columns_widens_the_last_and_rows_below_are_free_again() -> None:
    head = '<tr><th colspan="3">Water and winds today</th><th>When</th></tr>'
    rows = [
        '<td rowspan="2">high</td><td>low</td><td>calm</td><td>noon</td>',
        "<td>ebb</td><td>gale</td><td>night</td>",
        "<td>slack</td><td>flood</td><td>breeze</td><td>dawn</td>",
    ]

    assert to_text(rows, head) == dedent("""\
        Water and winds today  When
        -----  -----  -------  -----
        high   low    calm     noon
               ebb    gale     night
        slack  flood  breeze   dawn
        """)


def test_table_of_headings_alone_has_no_line_below_them() -> None:
    assert to_text(["<th>Sea</th>", "<th>Sky</th>"]) == "Sea\nSky\n"


@pytest.mark.parametrize("span", ["9999999999", "-1", "x", "0", "\u0663"])
def test_invalid_spans_are_limited(span: str) -> None:
    text = to_text([f'<td colspan="{span}" rowspan="{span}">a</td><td>b</td>', "<td>c</td>"])

    assert text.split() == ["a", "b", "c"]


def test_layout_table_is_not_rendered_as_a_table() -> None:
    assert to_text(["<td><p>a</p><ul><li>b</li></ul></td>"]) == "a\n\n- b\n"


def test_a_name_over_nothing_but_pictures_stays_in_records() -> None:
    rows = [f"<td>{'tide ' * 8}</td><td><img src='/a.png' alt=''></td>"]
    text = to_text(rows, "<tr><th>A</th><th>Chart</th></tr>", 24)
    assert text.splitlines()[-1] == "Chart:"
