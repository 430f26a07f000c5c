from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.config import Config, load_config
from newsletter.errors import ConfigError

Load = Callable[..., Config]
Problems = Callable[..., list[str]]

EXPECTED = """\
1: name: this must be text; put quotes around it: "12:30". Example: name: Harbour Notes
1: 'site_url' is missing. Example: site_url: https://harbournotes.example
2: unknown key 'sendr'. Did you mean 'sender'?
3: 'sender.address' is missing. Example: address: editor@harbournotes.example
5: unknown key 'addrez'. Did you mean 'address'?
7: theme.width: this must be less than or equal to 800. Example: width: 620
9: theme.light.accent: the value is missing (an unquoted \
'#' starts a comment). Example: accent: '#1f5f8b'
12: footer_links[1].url: 'about.html' is not an absolute \
URL (https://…). Example: url: https://harbournotes.example/about
13: tracking: this must be off, ask or all, or a section with opens and clicks
14: timezone: unknown time zone 'Europe/Olso'. \
Did you mean 'Europe/Oslo'? Example: timezone: Europe/Oslo
15: 'name' is already set on line 1. Remove one of them.
"""

MORE_LINE = 6  # the first line after the required settings
KEY = "SG.abcdefghijklmnop.qrstuvwxyz0123456789"


def test_required_settings_alone_are_valid(load: Load) -> None:
    config = load()
    assert config.name == "Harbour Notes"
    assert config.direction == "auto"
    assert config.database == "sqlite:///newsletter.db"


def test_lists_become_tuples_and_sections_become_models(load: Load) -> None:
    config = load(
        "footer_links:\n- {text: About, url: https://a.example/}\nsendgrid: {categories: [a, b]}\n"
    )
    assert [link.text for link in config.footer_links] == ["About"]
    assert config.sendgrid.categories == ("a", "b")


def test_sign_ups_are_kept_as_long_as_their_links_whatever_the_default(load: Load) -> None:
    assert load("signup: {confirm_days: 60}\n").signup.confirm_days == 60
    assert load("signup: {confirm_days: 60, purge_days: 60}\n").signup.purge_days == 60


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ('[rsync, -a, "{folder}/", "me@host:a b/"]', ("rsync", "-a", "{folder}/", "me@host:a b/")),
        ("rsync -a {folder}/ 'me@host:a b/'", ("rsync", "-a", "{folder}/", "me@host:a b/")),
        ("deploy $HOME; rm *", ("deploy", "$HOME;", "rm", "*")),
        ("", ()),
    ],
)
def test_publish_command_is_split_without_a_shell(
    load: Load, value: str, command: tuple[str, ...]
) -> None:
    assert load(f"publish:\n  command: {value}\n").publish.command == command


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("rsync {place}", "unknown placeholder '{place}'; use {folder}"),
        ("rsync 'a", "not a valid command: no closing quotation"),
        ('[rsync, ""]', "can't be empty"),
        ("[rsync, 3]", "text"),
        ("3", "a list"),
    ],
)
def test_wrong_publish_command_is_explained(
    get_problems: Problems, value: str, message: str
) -> None:
    (problem,) = get_problems(f"publish:\n  command: {value}\n")
    assert message in problem


def test_segment_may_span_several_lines(load: Load) -> None:
    config = load("segments:\n  vips: tag:vip\n  far-away: >\n    tag:vip and\n    city != Oslo\n")
    assert config.segments == {"vips": "tag:vip", "far-away": "tag:vip and city != Oslo"}


def test_palette_keeps_defaults_of_unset_colors(load: Load) -> None:
    dark = load('theme:\n  dark:\n    accent: "#ff00ff"\n').theme.dark
    assert dark.accent == "#ff00ff"
    assert dark.ground == Config.model_fields["theme"].default.dark.ground


def test_section_with_all_lines_commented_out_keeps_its_defaults(load: Load) -> None:
    default = load()
    assert load("theme:\n  light:\n  #width: 600\nfooter_links:\nattributes:\nutm:\n") == default


def test_all_problems_are_reported_at_once_with_their_lines(get_problems: Problems) -> None:
    problems = get_problems(
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
tracking: maybe
timezone: Europe/Olso
name: again
"""
    )
    assert [line.removeprefix("newsletter.yml:") for line in problems] == EXPECTED.splitlines()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("language: no\n", 'put quotes around it: "no"'),
        ("description: 2026-11-22\n", 'put quotes around it: "2026-11-22"'),
        ("theme: {radius: on}\n", "'on' is not a whole number"),
        ("theme: {radius: 2026-02-30}\n", "'2026-02-30' is not a whole number"),
        (
            "theme: {masthead: image}\n",
            "theme.masthead: 'image' shows theme.logo, which is not set",
        ),
        ("theme: {radius: wide}\n", "'wide' is not a whole number"),
        ("theme: {width: '600'}\n", "'600' in quotes is text, not a whole number"),
        ("sendgrid: {sandbox: 1}\n", "'1' is not true or false"),
        ("sendgrid: {read_timeout: .nan}\n", "read_timeout"),
        ("sendgrid: {region: us}\n", "this must be 'global' or 'eu', not 'us'"),
        ("sendgrid: {categories: one}\n", "this must be a list"),
        ("sendgrid: {categories: [one, 2]}\n", "sendgrid.categories[2]"),
        ("sendgrid: {categories: ['']}\n", "[1]: this must have at least 1 character"),
        ("footer_links: [about]\n", "footer_links[1]: this must be a section"),
        (
            'theme: {dark: {text: "#fff"}}\n',
            "'#fff' is not in the expected format. Example: text: '#",
        ),
        ("attributes: {first name: you}\n", "letters, digits and '_'"),
        ("segments: {my readers: tag:vip}\n", "'my readers' is not a valid segment name"),
        ("segments: {vips: }\n", "the value is missing"),
        (
            "attributes: {city: 3}\n",
            'attributes.city: this must be text; put quotes around it: "3"',
        ),
        ("signup: {purge_days: 6}\n", "6 is less than confirm_days, which is 7"),
        ("reply_to: a@b.example\n", "Did you mean 'sender.reply_to'?"),
        ("reply-to: a@b.example\n", "unknown key 'reply-to'."),
        ("theme: {xyz: 1}\n", "Valid keys: template, light, dark"),
    ],
)
def test_invalid_value_is_explained(get_problems: Problems, more: str, message: str) -> None:
    problems = get_problems(more)
    assert len(problems) == 1
    assert problems[0].startswith(
        (f"newsletter.yml:{MORE_LINE}: ", f"newsletter.yml:{MORE_LINE + 1}")
    )
    assert message in problems[0]


@pytest.mark.parametrize(
    ("whole", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("- a\n- b\n", 1, "the file contains no settings"),
        ("just words", 1, "the file contains no settings"),
        ("name: a\nsender:\n\tname: b\n", 3, "this line is indented with a tab"),
        ("name: a\nnote: see: this\n", 2, "this line has a second ':'"),
        ("name: [a\n", 2, "this is not valid YAML"),
        ("name: a\n---\nname: b\n", 2, "this is not valid YAML"),
        ("name: a\nx: \x07\n", 2, "control character"),
        ("name: !!python/object/apply:os.system [ls]\n", 1, "name: this must be text"),
        ("name: !secret x\n", 1, "YAML tags ('!…') are not supported"),
        ('name: !!int ""\n', 1, "YAML tags ('!…') are not supported"),
        ("name: !!bool x\n", 1, "YAML tags ('!…') are not supported"),
        ("name: !!timestamp x\n", 1, "YAML tags ('!…') are not supported"),
        ("? [a, b]\n: c\n", 1, "a key must be plain text"),
        ('name: a\nx: "\\UFFFFFFFF"\n', 2, "no character with the number"),
        ('name: a\nx: "\\U00110000"\n', 2, "no character with the number"),
        ("x: " + "[" * 5000, 1, "the file has more than 10,000 values or 20 levels"),
        (b"name: gr\xe5\n", 1, "the file is not valid UTF-8"),
        (b"\xff\xfen\x00a\x00", 1, "the file is not valid UTF-8"),
        (b"#" * 300_000, None, "the file is larger than 256,000 bytes"),
    ],
)
def test_invalid_file_is_reported_with_its_line(
    get_problems: Problems, whole: str | bytes, line: int | None, message: str
) -> None:
    report = "\n".join(get_problems(whole=whole))
    assert message in report
    assert report.startswith(f"newsletter.yml:{line}: " if line else "newsletter.yml: ")


def test_nested_aliases_cannot_expand_without_limit(get_problems: Problems) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "the file has more than 10,000 values" in get_problems(whole=bomb)[0]


def test_alias_of_a_long_text_cannot_be_repeated_without_limit(get_problems: Problems) -> None:
    whole = f"name: &a {'x' * 10_000}\nattributes: [{'*a, ' * 11}]\n"
    (report,) = get_problems(whole=whole)
    assert "the file has aliases (*name) that repeat more than 100,000 characters" in report
    assert report.startswith("newsletter.yml:2: ")


@pytest.mark.parametrize("escape", ["\\ud800", "\\0", "\\x1B", "\\uFFFE", "\\uFFFF"])
@pytest.mark.parametrize(
    "line", ['name: "a ESCAPE b"', 'attributes: {"ESCAPE": x}', 'tracking: {opens: ["ESCAPE"]}']
)
def test_character_that_no_text_can_have_is_reported(
    get_problems: Problems, line: str, escape: str
) -> None:
    report = "\n".join(get_problems(whole="# settings\n" + line.replace("ESCAPE", escape)))
    assert "newsletter.yml:2: there is a control character or half of one here (U+" in report
    assert "Delete it, or write the character itself." in report


def test_recursive_alias_is_rejected(get_problems: Problems) -> None:
    assert "unknown alias *a" in get_problems(whole="name: &a [*a]\n")[0]


def test_byte_order_mark_is_not_part_of_the_first_key(load: Load) -> None:
    whole = "\ufeffname: A\nsender: {name: A, address: a@b.example}\nsite_url: https://b.example\n"
    assert load(whole=whole).name == "A"


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not read the file: no such file"):
        load_config(tmp_path / "newsletter.yml", {})


def test_environment_overrides_the_file(load: Load) -> None:
    config = load(
        "database: sqlite:///a.db\nsendgrid:\n  sandbox: true\n",
        environ={
            "NEWSLETTER_DATABASE": "postgresql://me:secret@db/letters",
            "SENDGRID_HOST": "http://127.0.0.1:8025",
            "NEWSLETTER_FEED": "https://a.example/feed?token=s3cret",
        },
    )
    assert config.database == "postgresql://me:secret@db/letters"
    assert config.sendgrid.host == "http://127.0.0.1:8025"
    assert config.sendgrid.sandbox
    assert config.blog.feeds == ("https://a.example/feed?token=s3cret",)


def test_empty_variable_is_ignored(load: Load) -> None:
    assert load(environ={"SENDGRID_HOST": "", "NEWSLETTER_DATABASE": ""}) == load()


def test_invalid_variable_is_named_instead_of_a_line(get_problems: Problems) -> None:
    [problem] = get_problems(environ={"SENDGRID_HOST": "http://api.example"})
    assert problem == (
        "SENDGRID_HOST: 'http://api.example' must begin with https:// (http:// only on this "
        "machine). Example: SENDGRID_HOST=http://127.0.0.1:8025"
    )


def test_variable_does_not_hide_that_its_section_is_invalid(get_problems: Problems) -> None:
    problems = get_problems("sendgrid: 3\n", environ={"SENDGRID_HOST": "http://127.0.0.1:1"})
    assert problems[0].startswith(f"newsletter.yml:{MORE_LINE}: sendgrid: this must be a section")


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
def test_api_key_in_the_file_is_rejected_and_never_printed(
    get_problems: Problems, more: str
) -> None:
    report = "\n".join(get_problems(more))
    assert f"newsletter.yml:{MORE_LINE}: this line contains a SendGrid API key" in report
    assert "SENDGRID_API_KEY" in report
    assert "abcdefghijklmnop" not in report
    assert "qrstuvwxyz" not in report


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
def test_password_in_the_file_is_rejected_and_never_printed(
    get_problems: Problems, url: str
) -> None:
    report = "\n".join(get_problems(f"database: {url}\n"))
    assert f"newsletter.yml:{MORE_LINE}: the database URL contains a password" in report
    assert "NEWSLETTER_DATABASE" in report
    assert "s3cret" not in report


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/?token=s3cret",
        "https://me:s3cret@a.example",
        "https://a.example:x?key=s3cret",
    ],
)
def test_secret_of_a_feed_is_never_printed(get_problems: Problems, url: str) -> None:
    (problem,) = get_problems(environ={"NEWSLETTER_FEED": url})
    assert (problem.startswith("NEWSLETTER_FEED: "), "s3cret" in problem) == (True, False)


def test_password_in_the_file_is_rejected_even_if_the_environment_overrides_it(
    get_problems: Problems,
) -> None:
    problems = get_problems(
        "database: postgresql://me:s3cret@db/letters\n",
        environ={"NEWSLETTER_DATABASE": "sqlite:///a.db"},
    )
    assert "contains a password" in problems[0]


YAML_FRAGMENTS = st.text(
    alphabet=st.sampled_from("abn:-[]{}#&*!|>'\"%@`? \n\t\0é1.~=<,"), max_size=60
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(YAML_FRAGMENTS | st.text(max_size=30), st.integers(0, 5))
def test_any_file_loads_or_raises_config_error(load: Load, garbage: str, position: int) -> None:
    lines = (
        "name: A\nsender:\n  name: A\n  address: a@b.example\nsite_url: https://b.example\n"
    ).splitlines(keepends=True)
    lines.insert(position, garbage)
    with suppress(ConfigError):
        load(whole="".join(lines).encode("utf-8", "surrogatepass"))
