from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.mjml.normalize import normalize_mjml


def normalize(text: str) -> str:
    return normalize_mjml(text).text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # A bare ampersand is one, an entity stays.
        ('<a href="/?a=1&b=2">x</a>', '<a href="/?a=1&amp;b=2">x</a>'),
        ('<a href="/?a=1&copy=2">x</a>', '<a href="/?a=1&amp;copy=2">x</a>'),
        (
            "<p>salt & pepper &amp; oil &#38; &#x26;</p>",
            "<p>salt &amp; pepper &amp; oil &#38; &#x26;</p>",
        ),
        ("<p>3 < 4</p>", "<p>3 &lt; 4</p>"),
        ('<i title="a < b"></i>', '<i title="a &lt; b"></i>'),
        # Tags as HTML has them.
        ("<p>a<br>b<BR/>c<hr class=x></p>", '<p>a<br/>b<br/>c<hr class="x"/></p>'),
        ("<p>a</br>b</p>", "<p>a<br/>b</p>"),
        ("<p>a<br></br>b</p>", "<p>a<br/>     b</p>"),
        ("<p><img src=a></img></p>", '<p><img src="a"/>      </p>'),
        ("<TD NoWrap Width=7>x</TD>", '<td nowrap="" width="7">x</td>'),
        ("<MJ-Text ALIGN='left'>x</MJ-Text>", "<mj-text align='left'>x</mj-text>"),
        ('<i a="1" b="2" a="3"></i>', '<i a="1" b="2"      ></i>'),
        # What MRML would write in Rust's notation.
        ('<p style="\n a:b;\n\tc:d">x</p>', '<p style="  a:b;  c:d">x</p>'),
        (
            '<mj-image alt="\u00e9 \u00ab\u00a0a\\b"/>',
            '<mj-image alt="&#233; &#171;&#160;a&#92;b"/>',
        ),
        # The prolog; a doctype in the middle stays and is reported.
        ('<?xml version="1.0"?>\n<!DOCTYPE mjml>\n<mjml/>', f"{' ' * 21}\n{' ' * 15}\n<mjml/>"),
        ("\ufeff<!doctype html><mjml/>", f"{' ' * 16}<mjml/>"),
        ("<mjml><!DOCTYPE x></mjml>", "<mjml><!DOCTYPE x></mjml>"),
        # Comments: two hyphens, and where MRML takes none.
        ("<mj-body><!-- a -- b ---></mj-body>", "<mj-body><!-- a =- b =--></mj-body>"),
        (
            "<mj-body><!--[if mso]>x<![endif]--></mj-body>",
            "<mj-body><!--[if mso]>x<![endif]--></mj-body>",
        ),
        (
            "<mj-attributes><!--\na --></mj-attributes>",
            "<mj-attributes>    \n     </mj-attributes>",
        ),
        ("<mj-style><!-- a>b{} --></mj-style>", "<mj-style>     a&gt;b{}    </mj-style>"),
        ("<mj-style>a{}</mj-style>", "<mj-style>a{}</mj-style>"),
        # Paddings and borders in MRML's sums of widths.
        ('<mj-section padding="26px 32px 0"/>', '<mj-section padding="26px 32px 0px"/>'),
        ('<mj-column padding="0 32px"/>', '<mj-column padding="0px 32px"/>'),
        (
            '<mj-class name="a" padding="0% 1px .0 -0"/>',
            '<mj-class name="a" padding="0px 1px 0px 0px"/>',
        ),
        ('<mj-all padding=" 0  9px "/>', '<mj-all padding="0px 9px"/>'),
        ('<mj-button inner-padding="0 9px"/>', '<mj-button inner-padding="0px 9px"/>'),
        ('<mj-text padding-left="0"/>', '<mj-text padding-left="0px"/>'),
        ('<mj-text padding="0"/>', '<mj-text padding="0"/>'),
        ('<mj-text padding="10px 20px"/>', '<mj-text padding="10px 20px"/>'),
        ('<mj-text line-height="0 1"/>', '<mj-text line-height="0 1"/>'),
        ('<td padding="0 1px"></td>', '<td padding="0 1px"></td>'),
        ('<mj-column border="solid 2px red"/>', '<mj-column border="2px solid red"/>'),
        ('<mj-column border="none"/>', '<mj-column border="none"/>'),
        ('<mj-column border-left="none"/>', '<mj-column border-left="0px none"/>'),
        ('<mj-column border-left="0 solid red"/>', '<mj-column border-left="0px solid red"/>'),
        ('<mj-column border-left="0"/>', '<mj-column border-left="0px"/>'),
        ('<mj-column border-left="1px solid red"/>', '<mj-column border-left="1px solid red"/>'),
        ('<mj-body width="620"/>', '<mj-body width="620px"/>'),
        ('<mj-text padding="5 0 .5"/>', '<mj-text padding="5px 0px .5px"/>'),
        ('<mj-table cellpadding="7" width="50%"/>', '<mj-table cellpadding="7" width="50%"/>'),
    ],
)
def test_mjml_becomes_what_mrml_takes(written: str, expected: str) -> None:
    assert normalize(written) == expected
    assert normalize(expected) == expected


def test_offsets_lead_back_to_the_source() -> None:
    text = "<?xml ?>\n<mjml>\né & ü <br>\n<a href='?a&b&c'>x</a> <bad/></mjml>"
    normalized = normalize_mjml(text)
    for word in ("<mjml>", "é", "ü", "<a", "x</a>", "<bad", "</mjml>"):
        offset = len(normalized.text[: normalized.text.index(word)].encode())
        assert text.encode()[normalized.source_offset(offset) :].startswith(word.encode())


PIECES = st.sampled_from(
    [
        "&",
        "&amp;",
        "<",
        ">",
        "<br>",
        "</br>",
        "\n",
        "é",
        " -- ",
        "<!--",
        "-->",
        "<p a=1 b>",
        "</p>",
        "'",
        '"',
        '<mj-text padding="0 1px">',
        "</mj-text>",
        "<!DOCTYPE>",
        "<?xml?>",
        "=",
        "x",
        "/>",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_lines_and_words_stay_whatever_is_written(text: str) -> None:
    normalized = normalize_mjml(text)
    assert normalized.text.count("\n") == text.count("\n")
    assert normalized.text.count("é") == text.count("é")
    assert normalize(normalized.text) == normalized.text
    for offset in range(len(normalized.text.encode()) + 1):
        assert 0 <= normalized.source_offset(offset) <= len(text.encode())
    end = len(normalized.text.encode())
    assert normalized.source_offset(end) == len(text.encode())


@given(
    st.lists(
        st.sampled_from(["a", "&", "<br>", " < ", '<i x="&" y=1 Z>b</i>', "<!-- -- -->", "\n"])
    ).map("".join)
)
def test_html_becomes_well_formed_xml(text: str) -> None:
    expat.ParserCreate().Parse(normalize(f"<mj-text>{text}</mj-text>"), True)  # noqa: FBT003 - by position only
