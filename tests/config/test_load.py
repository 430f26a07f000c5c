from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.config import Config, load_config
from newsletter.errors import ConfigError

Load = Callable[..., Config]
Complaints = Callable[..., list[str]]

EXPECTED = """\
1: name: this must be text; put quotes around it: "12:30". Example: name: Harbour Notes
1: 'site_url' is missing. Example: site_url: https://harbournotes.example
2: unknown key 'sendr'. Did you mean 'sender'?
3: 'sender.address' is missing. Example: address: editor@harbournotes.example
5: unknown key 'addrez'. Did you mean 'address'?
7: theme.width: this must be less than or equal to 800. Example: width: 620
9: theme.light.accent: there is no value (an unquoted \
'#' begins a comment). Example: accent: '#1f5f8b'
12: footer_links[1].url: 'about.html' is no absolute \
URL (https://…). Example: url: https://harbournotes.example/about
13: tracking: this must be settings of its own, each on an indented line below
14: timezone: there is no time zone 'Europe/Olso'. \
Did you mean 'Europe/Oslo'? Example: timezone: Europe/Oslo
15: 'name' is already set in line 1. Keep one of the two.
"""

MORE_LINE = 6  # the first line after the required settings
KEY = "SG.abcdefghijklmnop.qrstuvwxyz0123456789"


def test_the_required_settings_are_enough(load: Load) -> None:
    config = load()
    assert config.name == "Harbour Notes"
    assert config.direction == "auto"
    assert config.database == "sqlite:///newsletter.db"


def test_lists_become_tuples_and_sections_models(load: Load) -> None:
    config = load(
        "footer_links:\n- {text: About, url: https://a.example/}\nsendgrid: {categories: [a, b]}\n"
    )
    assert [link.text for link in config.footer_links] == ["About"]
    assert config.sendgrid.categories == ("a", "b")


def test_a_segment_may_be_written_on_several_lines(load: Load) -> None:
    config = load("segments:\n  vips: tag:vip\n  far-away: >\n    tag:vip and\n    city != Oslo\n")
    assert config.segments == {"vips": "tag:vip", "far-away": "tag:vip and city != Oslo"}


def test_a_palette_keeps_the_default_of_what_it_does_not_name(load: Load) -> None:
    dark = load('theme:\n  dark:\n    accent: "#ff00ff"\n').theme.dark
    assert dark.accent == "#ff00ff"
    assert dark.ground == Config.model_fields["theme"].default.dark.ground


def test_a_section_with_all_its_lines_commented_out_is_absent(load: Load) -> None:
    plain = load()
    assert load("theme:\n  light:\n  #width: 600\nfooter_links:\nattributes:\nutm:\n") == plain


def test_every_problem_is_told_at_once_with_its_line(complaints: Complaints) -> None:
    told = complaints(
        whole="""\
name: 12:30
sendr: {}
sender:
  name: Harbour Notes
  addrez: editor@harbournotes.example
theme:
  width: 9000
  light:
    accent: #123456
footer_links:
  - text: About
    url: about.html
tracking: yes
timezone: Europe/Olso
name: again
"""
    )
    assert [line.removeprefix("newsletter.yml:") for line in told] == EXPECTED.splitlines()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("language: no\n", 'put quotes around it: "no"'),
        ("description: 2026-11-22\n", 'put quotes around it: "2026-11-22"'),
        ("theme: {radius: on}\n", "'on' is not a whole number"),
        ("theme: {radius: 2026-02-30}\n", "'2026-02-30' is not a whole number"),
        ("theme: {radius: wide}\n", "'wide' is not a whole number"),
        ("theme: {width: '600'}\n", "'600' in quotes is text, not a whole number"),
        ("sendgrid: {sandbox: 1}\n", "'1' is not true or false"),
        ("sendgrid: {read_timeout: .nan}\n", "read_timeout"),
        ("sendgrid: {region: us}\n", "'us' is none of 'global' or 'eu'"),
        ("sendgrid: {categories: one}\n", "this must be a list"),
        ("sendgrid: {categories: [one, 2]}\n", "sendgrid.categories[2]"),
        ("footer_links: [about]\n", "footer_links[1]: this must be settings of its own"),
        ('theme: {dark: {text: "#fff"}}\n', "'#fff' has not the right form. Example: text: '#"),
        ("attributes: {first name: you}\n", "letters, digits and '_'"),
        ("segments: {my readers: tag:vip}\n", "'my readers' is no name of a segment"),
        ("segments: {vips: }\n", "there is no value"),
        (
            "attributes: {city: 3}\n",
            'attributes.city: this must be text; put quotes around it: "3"',
        ),
        ("reply_to: a@b.example\n", "It belongs elsewhere: sender.reply_to."),
        ("reply-to: a@b.example\n", "unknown key 'reply-to'."),
        ("theme: {xyz: 1}\n", "There are: template, light, dark"),
    ],
)
def test_a_wrong_value_is_explained(complaints: Complaints, more: str, words: str) -> None:
    told = complaints(more)
    assert len(told) == 1
    assert told[0].startswith((f"newsletter.yml:{MORE_LINE}: ", f"newsletter.yml:{MORE_LINE + 1}"))
    assert words in told[0]


@pytest.mark.parametrize(
    ("whole", "line", "words"),
    [
        ("", 1, "it is empty"),
        ("# only a comment\n", 1, "it is empty"),
        ("- a\n- b\n", 1, "it holds no settings"),
        ("just words", 1, "it holds no settings"),
        ("name: a\nsender:\n\tname: b\n", 3, "a tab indents this line"),
        ("name: a\nnote: see: this\n", 2, "there is a second ':' in this line"),
        ("name: [a\n", 2, "this is not YAML"),
        ("name: a\n---\nname: b\n", 2, "this is not YAML"),
        ("name: a\nx: \x07\n", 2, "control character"),
        ("name: !!python/object/apply:os.system [ls]\n", 1, "name: this must be text"),
        ("name: !secret x\n", 1, "a tag ('!…') means nothing here"),
        ('name: !!int ""\n', 1, "a tag ('!…') means nothing here"),
        ("name: !!bool x\n", 1, "a tag ('!…') means nothing here"),
        ("name: !!timestamp x\n", 1, "a tag ('!…') means nothing here"),
        ("? [a, b]\n: c\n", 1, "a key must be one word"),
        ("x: " + "[" * 5000, 1, "it is nested too deeply"),
        (b"name: gr\xe5\n", 1, "it is not UTF-8 text"),
        (b"\xff\xfen\x00a\x00", 1, "it is not UTF-8 text"),
        (b"#" * 300_000, None, "it is larger than 256,000 bytes"),
    ],
)
def test_what_is_no_settings_file_is_told_with_its_line(
    complaints: Complaints, whole: str | bytes, line: int | None, words: str
) -> None:
    told = "\n".join(complaints(whole=whole))
    assert words in told
    assert told.startswith(f"newsletter.yml:{line}: " if line else "newsletter.yml: ")


def test_aliases_cannot_blow_a_small_file_up(complaints: Complaints) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "there is far too much in this file" in complaints(whole=bomb)[0]


def test_an_alias_of_itself_is_refused(complaints: Complaints) -> None:
    assert "nested too deeply" in complaints(whole="name: &a [*a]\n")[0]


def test_a_byte_order_mark_is_no_part_of_the_first_key(load: Load) -> None:
    whole = "\ufeffname: A\nsender: {name: A, address: a@b.example}\nsite_url: https://b.example\n"
    assert load(whole=whole).name == "A"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it can't be read: no such file"):
        load_config(tmp_path / "newsletter.yml", {})


def test_the_environment_wins_over_the_file(load: Load) -> None:
    config = load(
        "database: sqlite:///a.db\nsendgrid:\n  sandbox: true\n",
        environ={
            "NEWSLETTER_DATABASE": "postgresql://me:secret@db/letters",
            "SENDGRID_HOST": "http://127.0.0.1:8025",
        },
    )
    assert config.database == "postgresql://me:secret@db/letters"
    assert config.sendgrid.host == "http://127.0.0.1:8025"
    assert config.sendgrid.sandbox


def test_an_empty_variable_is_an_absent_one(load: Load) -> None:
    assert load(environ={"SENDGRID_HOST": "", "NEWSLETTER_DATABASE": ""}) == load()


def test_a_wrong_variable_is_named_instead_of_a_line(complaints: Complaints) -> None:
    [told] = complaints(environ={"SENDGRID_HOST": "http://api.example"})
    assert told == (
        "SENDGRID_HOST: 'http://api.example' must begin with https://; only this machine may do "
        "without. Example: SENDGRID_HOST=http://127.0.0.1:8025"
    )


def test_a_variable_cannot_hide_that_its_section_is_wrong(complaints: Complaints) -> None:
    told = complaints("sendgrid: 3\n", environ={"SENDGRID_HOST": "http://127.0.0.1:1"})
    assert told[0].startswith(f"newsletter.yml:{MORE_LINE}: sendgrid: this must be settings")


@pytest.mark.parametrize(
    "more",
    [
        f"sendgrid: {{key: {KEY}}}\n",
        f"# {KEY}\n",
        f"{KEY}: 1\n",
        f"sendgrid: {{host: {KEY}}}\n",
        f"timezone: {KEY}\n",
    ],
)
def test_a_key_in_the_file_is_refused_and_never_printed(complaints: Complaints, more: str) -> None:
    told = "\n".join(complaints(more))
    assert f"newsletter.yml:{MORE_LINE}: a SendGrid API key is written here" in told
    assert "SENDGRID_API_KEY" in told
    assert "abcdefghijklmnop" not in told
    assert "qrstuvwxyz" not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@db/letters",
        "postgresql+psycopg://me:s3cret@db/letters",
        "postgresql://db/letters?password=s3cret",
        "mysql://me:s3cret@db/letters",
        "postgresql://me:s3cret@[db/letters",
    ],
)
def test_a_password_in_the_file_is_refused_and_never_printed(
    complaints: Complaints, url: str
) -> None:
    told = "\n".join(complaints(f"database: {url}\n"))
    assert f"newsletter.yml:{MORE_LINE}: the database's URL holds a password" in told
    assert "NEWSLETTER_DATABASE" in told
    assert "s3cret" not in told


def test_a_password_in_the_file_is_refused_even_if_the_environment_wins(
    complaints: Complaints,
) -> None:
    told = complaints(
        "database: postgresql://me:s3cret@db/letters\n",
        environ={"NEWSLETTER_DATABASE": "sqlite:///a.db"},
    )
    assert "holds a password" in told[0]


YAMLISH = st.text(alphabet=st.sampled_from("abn:-[]{}#&*!|>'\"%@`? \n\t\0é1.~=<,"), max_size=60)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(YAMLISH | st.text(max_size=30), st.integers(0, 5))
def test_whatever_the_file_holds_the_answer_is_a_config_or_problems_in_words(
    load: Load, garbage: str, after: int
) -> None:
    lines = (
        "name: A\nsender:\n  name: A\n  address: a@b.example\nsite_url: https://b.example\n"
    ).splitlines(keepends=True)
    lines.insert(after, garbage)
    with suppress(ConfigError):
        load(whole="".join(lines).encode("utf-8", "surrogatepass"))
