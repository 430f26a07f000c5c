"""Everything that ``--json`` prints is JSON, whatever the text in it and the output's encoding."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.cli.main import cli
from newsletter.cli.output import print_json

Repeat = Callable[[bytes], bytes]

PACKAGE = Path(__file__).parents[2] / "newsletter"
ECHO = """\
import json, sys, click, newsletter.cli.main as m
from newsletter.cli.output import print_json
@click.command
def repeat():
    for line in sys.stdin.buffer:
        print_json(json.loads(line))
m.LazyGroup.get_command = lambda *_: repeat
m.main(["build"])
"""
ENCODINGS = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
NASTY = {
    "soft hyphen": "un\u00adsubscribe",
    "C0 controls": "\x00\x07\x1b[2J\r\n\t\x7f",
    "C1 controls": "a\x85b\x9b31m",
    "bidi controls": "a\u202egpj.exe\u2066b\u2069",
    "complete isolate": "\u2068\u05d0\u2069",
    "line separators": "a\u2028b\u2029c",
    "tag characters": "x\U000e0001\U000e0041\U000e007f",
    "byte order mark": "\ufeffa",
    "lone surrogates": "bad name \udc80 \ud83d",
    "not assigned": "\u0378\ufdd0\uffff\U0010ffff",
    "spaces and joiners": "\u00a0\u3000\u2009 क्\u200dष \u200c",
    "letters of all planes": "Blåbær, 日報, 👩\u200d🚀, 𐍈",
    "what JSON escapes": "\"\\/ \\u0041 '",
}

text = st.text(st.characters(exclude_categories=()))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module", params=list(ENCODINGS.values()), ids=list(ENCODINGS))
def repeat(request: pytest.FixtureRequest) -> Iterator[Repeat]:
    """Return a function that has another process print a JSON value into a pipe."""
    process = subprocess.Popen(
        [sys.executable, "-c", ECHO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **request.param},
    )
    assert process.stdin
    assert process.stdout
    stdin, stdout = process.stdin, process.stdout

    def run(line: bytes) -> bytes:
        stdin.write(line + b"\n")
        stdin.flush()
        return stdout.readline()

    yield run
    process.communicate()
    assert process.returncode == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_any_value_comes_through_a_pipe_unchanged(repeat: Repeat, value: object) -> None:
    line = json.dumps(value).encode()
    # JSON can't tell two lone surrogates that follow each other from the character they encode.
    assert json.loads(repeat(line)) == json.loads(line)


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
def test_nasty_text_comes_through_a_pipe_unchanged(repeat: Repeat, nasty: str) -> None:
    value = {nasty: [nasty, {"": nasty}]}
    output = repeat(json.dumps(value).encode())
    assert json.loads(output) == value
    assert output.count(b"\n") == 1


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
def test_json_does_not_control_the_terminal(nasty: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"reason": nasty})
    output = capsys.readouterr().out
    assert json.loads(output) == {"reason": nasty}
    assert all(
        char.isprintable() or char in "\u00a0\u3000\u2009\u200c\u200d" for char in output[:-1]
    )
    assert output.endswith("}\n")


def test_letters_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"subject": "Blåbær 日報 👩\u200d🚀"}, indent=1)
    assert capsys.readouterr().out == '{\n "subject": "Blåbær 日報 👩\u200d🚀"\n}\n'


def test_number_that_json_lacks_is_an_error_and_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"rate": float("nan")})
    assert capsys.readouterr().out == ""


def list_commands() -> dict[str, click.Command]:
    """Return function name -> command, for all commands."""
    found = {}
    groups: list[click.Group] = [cli]
    while groups:
        group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                groups.append(command)
            elif command.callback:
                found[command.callback.__name__] = command
    return found


def find_json_commands() -> dict[str, str]:
    """Return function name -> module of each command that prints JSON."""
    return {
        name: command.callback.__module__
        for name, command in list_commands().items()
        if command.callback and any(map(prints_json, command.params))
    }


def prints_json(option: click.Parameter) -> bool:
    return "--json" in option.opts or "json" in getattr(option.type, "choices", ())


def called_names(path: Path) -> set[str]:
    """Return the names of all functions that a module calls or imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    return names


def test_commands_print_json_by_one_function_only() -> None:
    modules = sorted((PACKAGE / "cli").rglob("*.py"))
    encoders = {"dump", "dumps", "JSONEncoder", "orjson"}
    assert [path.name for path in modules if encoders & called_names(path)] == ["output.py"]


def test_every_command_with_a_result_has_json() -> None:
    # What asks, runs until it is stopped, or prints SQL.
    without = {"init", "setup", "preview", "serve", "worker", "roles"}
    assert list_commands().keys() - find_json_commands().keys() == {
        f"{name}_command" for name in without
    }


def test_every_command_with_json_uses_that_function() -> None:
    commands = find_json_commands()
    assert {"send_command", "check_command", "import_events_command", "show_command"} <= set(
        commands
    )
    printers = {"print_json", "print_send_json", "deliver_or_hand_over"}
    lacking = {
        name
        for name, module in commands.items()
        if not printers & called_names(PACKAGE.parent / f"{module.replace('.', '/')}.py")
    }
    assert lacking == set()
