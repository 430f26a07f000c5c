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


@pytest.mark.parametrize(("width", "is_aligned"), [(31, True), (30, False)])
def test_table_as_wide_as_the_text_stays_a_table(width: int, *, is_aligned: bool) -> None:
    assert to_text(ROWS, HEAD, width).startswith("Moon    ") == is_aligned


def test_records_leave_out_empty_cells() -> None:
    rows = [f"<td>{'tide ' * 5}</td><td></td>", "<td>ebb</td><td>noon</td>"]

    assert to_text(rows, "<tr><th>A</th><th>B</th></tr>", 24) == (
        "A: tide tide tide tide\n  tide\n\nA: ebb\nB: noon\n"
    )


def test_only_row_without_headings_becomes_a_record() -> None:
    assert to_text([f"<td>{'tide ' * 5}</td><td>noon</td>"], width=24) == (
        "tide tide tide tide\n  tide\nnoon\n"
    )


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


def test_headings_over_several_columns_and_rows() -> None:
    head = (
        '<tr><th rowspan="2">Moon</th><th colspan="2">Water</th><th rowspan="2">Wind</th></tr>'
        "<tr><th>high</th><th>low</th></tr>"
    )
    rows = [
        '<td rowspan="3">New</td><td>3.8</td><td>0.4</td><td>calm</td>',
        "<td>3.75</td><td>0.35</td><td>gale</td>",
        "<td>3.7</td><td>0.3</td><td>breeze</td>",
        "<td>Half</td><td>2.9</td><td>1.1</td><td>calm</td>",
    ]

    assert to_text(rows, head) == dedent("""\
        Moon       Water  Wind
              high   low
        ----  ----  ----  ------
        New    3.8   0.4  calm
              3.75  0.35  gale
               3.7   0.3  breeze
        Half   2.9   1.1  calm
        """)


def test_column_without_text_takes_no_width() -> None:
    assert to_text(["<td>a</td><td></td><td>b</td>", "<td>c</td><td></td><td>d</td>"]) == (
        "a    b\nc    d\n"
    )


def test_table_of_headings_alone_has_no_line_below_them() -> None:
    assert to_text(["<th>Sea</th>", "<th>Sky</th>"]) == "Sea\nSky\n"


@pytest.mark.parametrize(
    ("span", "text"),
    [("9999999999", "a\nb\n\nc\n")]
    + [(invalid, "a  b\nc\n") for invalid in ("-1", "x", "0", "", "\u0663")],
)
def test_invalid_spans_are_limited(span: str, text: str) -> None:
    rows = [f'<td colspan="{span}" rowspan="{span}">a</td><td>b</td>', "<td>c</td>"]

    assert to_text(rows) == text


def test_layout_table_is_not_rendered_as_a_table() -> None:
    assert to_text(["<td><p>a</p><ul><li>b</li></ul></td>"]) == "a\n\n- b\n"


def test_a_name_over_nothing_but_pictures_stays_in_records() -> None:
    rows = [f"<td>{'tide ' * 8}</td><td><img src='/a.png' alt=''></td>"]
    text = to_text(rows, "<tr><th>A</th><th>Chart</th></tr>", 24)
    assert text.splitlines()[-1] == "Chart:"
