"""Look up the words of emails and pages in a language.

They are in ``templates/words/LANG.yml``, in groups: ``issue`` (around an issue's article),
``email`` (emails to one reader), ``page`` (the public pages) and ``article`` (inside an article).
What a project's own file says overrides the shipped one. Pure but for the shipped files, which are
read once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

from newsletter.config import safe_yaml
from newsletter.errors import Location, Problem, TemplateError, display_path
from newsletter.project.scaffold import default_templates_dir

WORDS_FOLDER = "words"
FALLBACK_LANGUAGE = "en"
# Languages that are read by those of another tag (CLDR, "parentLocales" and language aliases).
_ALIASES = {"nn": "nb", "no": "nb", "zh-hk": "zh-hant", "zh-mo": "zh-hant", "zh-tw": "zh-hant"}
# RFC 5646 requires no more to be read (4.4.1), and each one is a look-up.
_MAX_SUBTAGS = 8
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|%s")
# A word may stand in a subject, which is one line.
_LINE_BREAKS = re.compile(r"\s*[\r\n\x85\u2028\u2029]+\s*")

# Group -> key -> text.
WordTable = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class OwnWords:
    """A project's own words files, unparsed.

    Attributes:
        folder: their folder as the user would type it, for messages.
        texts: language tag -> a file's text.
    """

    folder: str
    texts: Mapping[str, str]


NO_WORDS = OwnWords("", MappingProxyType({}))


class _Entry(NamedTuple):
    """A key of a words file; ``text`` is ``None`` if its value is no text, ``key`` of a group."""

    group: str
    key: str | None
    text: str | None
    line: int


def read_own_words(templates_folder: Path) -> OwnWords:
    """Read the words files of a project's templates folder.

    Raises:
        TemplateError: a file is not UTF-8, or its name no language tag; all at once.
    """
    folder = templates_folder / WORDS_FOLDER
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted(path for path in folder.glob("*") if path.suffix in {".yml", ".yaml"}):
        if not _LANGUAGE_TAG.fullmatch(path.stem) or path.suffix != ".yml":
            message = "the name of a words file is a language code"
            remedy = "Name it like de.yml or pt-BR.yml."
            problems.append(Problem(message, Location(display_path(path)), remedy))
            continue
        try:
            texts[path.stem] = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            where = Location(display_path(path), line)
            problems.append(Problem("not valid UTF-8", where, "Save the file as UTF-8."))
    if problems:
        raise TemplateError.from_problems(problems)
    return OwnWords(display_path(folder), MappingProxyType(texts))


def load_words(own: OwnWords, lang: str, group: str) -> dict[str, str]:
    """Return a group's words in a language: key -> text.

    Of a regional variant first, then of the language; what neither says is in English.

    Args:
        own: the project's own words.
        lang: a language tag, in any case: ``de``, ``pt-BR``, ``zh-Hant-TW``.
        group: ``issue``, ``email``, ``page`` or ``article``.

    Raises:
        TemplateError: a words file of the project is wrong; all its problems.
    """
    return load_shipped_words(lang, group) | load_own_words(own, lang, group)


def load_shipped_words(lang: str, group: str) -> dict[str, str]:
    """Return a group's words in a language as they are shipped."""
    return dict(_load_shipped(_find_shipped_tag(lang))[group])


def load_own_words(own: OwnWords, lang: str, group: str) -> dict[str, str]:
    """Return what a project's own files say of a group in a language.

    Raises:
        TemplateError: a words file of the project is wrong; all its problems.
    """
    words: dict[str, str] = {}
    for tag in reversed(list_own_tags(lang)):
        words |= _load_own_file(own, tag).get(group, {})
    return words


def find_language(own: OwnWords, wanted: str) -> str | None:
    """Return the language tag of the words that ``wanted`` would get; ``None`` without any.

    ``pt-BR`` gives ``pt``, ``nn`` gives ``nb``.
    """
    spelled = {tag.lower(): tag for tag in (*_find_shipped_tags().values(), *own.texts)}
    return next((spelled[tag] for tag in _list_candidates(wanted) if tag in spelled), None)


def list_shipped_languages() -> list[str]:
    """Return the tags of the languages that have shipped words."""
    return sorted(_find_shipped_tags().values())


def _list_candidates(lang: str) -> Iterator[str]:
    """Yield the tags to look up, in lower case, the most specific one first (RFC 4647, 3.4)."""
    subtags = lang.lower().split("-")[:_MAX_SUBTAGS]
    while subtags:
        tag = "-".join(subtags)
        yield tag
        if tag in _ALIASES:
            yield _ALIASES[tag]
        subtags.pop()


def _find_shipped_tag(lang: str) -> str:
    tags = _list_candidates(lang)
    return next((tag for tag in tags if tag in _find_shipped_tags()), FALLBACK_LANGUAGE)


def list_own_tags(lang: str) -> list[str]:
    """Return the tags whose own words override the shipped ones, the most specific one first.

    A tag after that of the shipped words doesn't count: Chinese in simplified characters is no
    fallback for that in traditional ones.
    """
    tags, shipped = list(_list_candidates(lang)), _find_shipped_tag(lang)
    return tags[: tags.index(shipped) + 1] if shipped in tags else [*tags, shipped]


@cache
def _find_shipped_tags() -> dict[str, str]:
    """Return lower-case tag -> tag, which is the file's name."""
    files = (default_templates_dir() / WORDS_FOLDER).glob("*.yml")
    return {path.stem.lower(): path.stem for path in files}


@cache
def _load_shipped(tag: str) -> WordTable:
    return _make_table(_parse_words(_read_shipped(tag)))


@cache
def _read_shipped(tag: str) -> str:
    file = default_templates_dir() / WORDS_FOLDER / f"{_find_shipped_tags()[tag]}.yml"
    return file.read_text("utf-8")


def _load_own_file(own: OwnWords, tag: str) -> WordTable:
    """Return the words of a project's own file, if it has one; checked against the shipped ones."""
    name = next((name for name in own.texts if name.lower() == tag), None)
    if name is None:
        return {}
    text = own.texts[name]
    if tag in _find_shipped_tags() and text == _read_shipped(tag):
        return {}

    def locate(line: int | None) -> Location:
        return Location(f"{own.folder}/{name}.yml", line)

    try:
        entries = _parse_words(text)
    except safe_yaml.YamlError as error:
        raise TemplateError(_describe_yaml_error(error), where=locate(error.line)) from error
    problems = list(_find_problems(entries, _load_shipped(FALLBACK_LANGUAGE), locate))
    if problems:
        raise TemplateError.from_problems(problems)
    return _make_table(entries)


def _describe_yaml_error(error: safe_yaml.YamlError) -> str:
    if error.kind == "content":
        return "not a mapping of groups to words"
    return f"the words can't be read: {error.problem}"


def _make_table(entries: tuple[_Entry, ...]) -> WordTable:
    table: WordTable = {}
    for entry in entries:
        group = table.setdefault(entry.group, {})
        if entry.key is not None and entry.text is not None:
            group[entry.key] = entry.text
    return table


def _find_problems(
    entries: tuple[_Entry, ...],
    known: Mapping[str, Mapping[str, str]],
    locate: Callable[[int], Location],
) -> Iterator[Problem]:
    first_lines: dict[tuple[str, str | None], int] = {}
    for group, key, text, line in entries:
        first_line = first_lines.setdefault((group, key), line)
        if line != first_line:
            yield Problem(f"'{key or group}' is on line {first_line} already", locate(line))
        elif key is None and group not in known:
            yield _make_unknown_group_problem(group, known, locate(line))
        elif key is None and text is None:
            yield Problem(f"'{group}' is not a mapping of keys to words", locate(line))
        elif key is None or group not in known:
            continue
        elif key not in known[group]:
            where = locate(line)
            yield _make_unknown_problem(f"word '{key}' in '{group}'", key, known[group], where)
        elif text is None:
            remedy = f'Write it on one line: {key}: "{known[group][key]}"'
            yield Problem(f"'{key}' is not a text", locate(line), remedy)
        elif found := safe_yaml.INVALID_CHARACTER.search(text):
            message = f"there is a control character in '{key}' (U+{ord(found[0]):04X})"
            yield Problem(message, locate(line), "Delete it.")
        else:
            yield from _find_wrong_placeholders(key, text, known[group][key], locate(line))


def _make_unknown_group_problem(
    group: str, known: Mapping[str, Mapping[str, str]], where: Location
) -> Problem:
    homes = [f"{name}:" for name in known if group in known[name]]
    if homes:  # most likely the group is still commented out
        return Problem(f"'{group}' is not in a group", where, f"Put it below {' or '.join(homes)}")
    return _make_unknown_problem(f"group of words '{group}'", group, known, where)


def _make_unknown_problem(
    what: str, name: str, known: Mapping[str, object], where: Location
) -> Problem:
    matches = get_close_matches(name, list(known), n=1)
    suggestion = f". Did you mean '{matches[0]}'?" if matches else ""
    return Problem(f"there is no {what}{suggestion}", where)


def _find_wrong_placeholders(
    key: str, text: str, original: str, where: Location
) -> Iterator[Problem]:
    allowed = _PLACEHOLDER.findall(original)
    for placeholder in dict.fromkeys(_PLACEHOLDER.findall(text)):
        if placeholder not in allowed:
            remedy = (
                f"It may contain {' and '.join(allowed)}." if allowed else "It can't contain any."
            )
            yield Problem(f"{placeholder} is not a placeholder of '{key}'", where, remedy)


@lru_cache(maxsize=32)
def _parse_words(text: str) -> tuple[_Entry, ...]:
    root = safe_yaml.parse_nodes(text, "1.2")
    if root is None:
        return ()
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 1
        raise safe_yaml.YamlError("this is not a mapping of keys to values", line, "content")
    return tuple(_iter_entries(root))


def _iter_entries(root: yaml.MappingNode) -> Iterator[_Entry]:
    for group_node, words in root.value:
        group, line = _get_name(group_node), group_node.start_mark.line + 1
        if not isinstance(words, yaml.MappingNode):
            # An empty group says nothing.
            is_empty = isinstance(words, yaml.ScalarNode) and not words.value
            yield _Entry(group, None, "" if is_empty else None, line)
            continue
        yield _Entry(group, None, "", line)
        for key_node, value in words.value:
            is_text = isinstance(value, yaml.ScalarNode) and bool(value.value.strip())
            # As it is written: an unquoted ``5`` or ``yes`` is a text here.
            text = _LINE_BREAKS.sub(" ", value.value.strip("\r\n")) if is_text else None
            yield _Entry(group, _get_name(key_node), text, key_node.start_mark.line + 1)


def _get_name(node: yaml.Node) -> str:
    """Return a key as text; of one that is a list or a mapping, an ellipsis."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "\u2026"
