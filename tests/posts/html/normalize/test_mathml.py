# ruff: noqa: E501 - a table reads best with one case a line
"""Formulas on one line: never another number."""

import pytest

from newsletter.posts.html.normalize.mathml import write_formula


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<mn>2</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2 1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", "(a+b)/c"),
        ("<msub><mi>x</mi><mi>i</mi></msub>", "x_i"),
        ("<msub><mi>x</mi><mn>12</mn></msub>", "x_12"),
        ("<msup><mn>10</mn><mn>3</mn></msup>", "10^3"),
        ("<msup><mi>x</mi><mn>2</mn></msup><mi>y</mi>", "x^2 y"),
        ("<mi>a</mi><msup><mi>t</mi><mn>2</mn></msup>", "at^2"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></msup>", "(a+1)^2"),
        ("<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>", "x_1^2"),
        ("<msup><mi>f</mi><mo>\u2032</mo></msup>", "f\u2032"),
        ("<mover><mi>x</mi><mo>\u00af</mo></mover>", "x\u00af"),
        ("<munder><mi>lim</mi><mi>n</mi></munder><mi>x</mi>", "lim_n x"),
        ("<msqrt><mn>2</mn><mi>x</mi></msqrt>", "sqrt(2x)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "root(3, x)"),
        ("<mn>1</mn><mn>2</mn>", "1 2"),
        ("<mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>", "sin x"),
        ("<mn>3</mn><mo>&minus;</mo><mn>1</mn>", "3\u22121"),
        (("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd>"
         "<mtd><mn>4</mn></mtd></mtr></mtable>"), "[1, 2; 3, 4]"),
        ("<mo>(</mo><mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", "(binom(n, k))"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a, b)"),
        ("<mphantom><mn>4</mn></mphantom><mn>5</mn>", "5"),
        ("<mtext>if </mtext><mi>x</mi><mo>&lt;</mo><mn>0.5</mn>", "if x<0.5"),
        (("<semantics><mi>x</mi><annotation encoding='application/x-tex'>\\bar x</annotation>"
         "</semantics>"), "\\bar x"),
        ("<semantics><mi>x</mi><annotation encoding='StarMath 5.0'>bar x</annotation></semantics>", "x"),
        ("<mrow><mn>1", "1"),
        ("", ""),
    ],
)  # fmt: skip
def test_formula_on_one_line(mathml: str, text: str) -> None:
    assert write_formula(f"<math>{mathml}</math>") == text


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ('<math alttext="{\\displaystyle a^2}"><mi>x</mi></math>', "a^2"),
        ('<m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>x</m:mi></m:math>', "x"),
        ("<MATH><MI>x</MI></MATH>", "x"),
    ],
)
def test_formula_of_other_forms(mathml: str, text: str) -> None:
    assert write_formula(mathml) == text
