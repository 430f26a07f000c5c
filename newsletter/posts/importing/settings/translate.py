"""Translate other tools' front matter: known meanings taken, the rest kept.

Import never refuses another tool's front matter: what has no meaning here, and every value that
can't be read, is kept as it was under ``extra``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from newsletter.posts.front_matter.keys import KNOWN_KEYS, PREHEADER_KEYS
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.front_matter.schema import FrontMatterFields
from newsletter.posts.importing.plain_settings import make_plain_text
from newsletter.posts.importing.settings.dialects import (
    NESTED_TABLES,
    PATH_KEYS,
    Dialect,
    list_dialects,
)
from newsletter.posts.importing.settings.notes import (
    SettingNote,
    clip_value,
    list_keys,
    note_taken,
    note_unreadable,
)
from newsletter.posts.importing.settings.values import (
    Reading,
    decode_entities,
    is_valid_setting,
    read_language,
    read_line,
    read_spaced_tags,
    read_summary,
    squash_key,
)

_TEXT_SETTINGS = frozenset({"title", "subject", "author", "tags", "hero", *PREHEADER_KEYS})


class _Candidate(NamedTuple):
    """A key of the source.

    Attributes:
        table: the table that it is in; empty at the top level.
        key: as written.
        value: its value; of an image also the texts from keys beside it, ``text_keys``.
    """

    table: str
    key: Any
    value: Any
    text_keys: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.table}.{self.key}" if self.table else str(self.key)


@dataclass(frozen=True, slots=True)
class TranslatedFrontMatter:
    """Front matter in our settings.

    Attributes:
        front_matter: the source's front matter with settings of ours only, ``extra`` among them.
        fields: the same, validated.
        notes: what was taken from other keys, and what was not.
    """

    front_matter: FrontMatter
    fields: FrontMatterFields
    notes: tuple[SettingNote, ...]


@dataclass(slots=True)
class _Translation:
    """The state of a translation."""

    source: Mapping[str, Any]
    has_image: Callable[[str], bool]
    settings: dict[str, Any] = field(default_factory=dict)
    taken: set[tuple[str, Any]] = field(default_factory=set)
    notes: list[SettingNote] = field(default_factory=list)
    noted_keys: set[str] = field(default_factory=set)

    def add_note(self, note: SettingNote, candidate: _Candidate) -> None:
        self.notes.append(note)
        self.noted_keys.add(candidate.table or str(candidate.key))


def translate_front_matter(
    front_matter: FrontMatter,
    *,
    language: str,
    is_jekyll: bool = False,
    template_names: Collection[str] | None = None,
    has_image: Callable[[str], bool] = bool,
) -> TranslatedFrontMatter:
    """Translate the front matter of a post from anywhere.

    Args:
        front_matter: as parsed.
        language: BCP 47 tag if the post has none.
        is_jekyll: whether the post is known to be Jekyll's; ``layout`` shows it too.
        template_names: the templates that ``template`` may name; ``None`` for any.
        has_image: returns whether a path or URL is an image that an issue can show.
    """
    source = front_matter.data
    translation = _Translation(source, has_image)
    stated_language = next(
        (
            tag.value
            for key in source
            if squash_key(key) in {"language", "lang", "locale"}
            and (tag := read_language(source[key]))
        ),
        language,
    )
    dialects = list_dialects(stated_language, is_jekyll=is_jekyll or "layout" in source)
    read_settings = {dialect.setting for dialect in dialects} - {"draft"}
    for key in source:
        if key in KNOWN_KEYS - read_settings - {"extra"}:
            _keep_own_setting(translation, key, template_names)
    for dialect in dialects:
        if dialect.setting != "draft" or "draft" not in translation.settings:
            _take_setting(translation, dialect)
    stated = {key: value for key, value in translation.settings.items() if value is not None}
    fields = FrontMatterFields.model_validate(stated)  # each of them was found to be valid
    settings = {  # in the order of the source, then those taken from other keys
        key: translation.settings[key]
        for key in (*source, *translation.settings)
        if key in translation.settings
    }
    if extra := _collect_extra(translation, front_matter):
        settings["extra"] = extra
    return TranslatedFrontMatter(
        replace(front_matter, data=settings, repeated=()), fields, tuple(translation.notes)
    )


def _take_setting(translation: _Translation, dialect: Dialect) -> None:
    setting, source = dialect.setting, translation.source
    has_summary = any(
        isinstance(text := source.get(key), str) and text.strip() for key in PREHEADER_KEYS
    )
    for candidate in _iter_candidates(source, dialect):
        value = candidate.value
        is_own = not candidate.table and candidate.key == setting
        if value in (None, "", [], {}):
            if is_own:  # an empty setting of ours, to be filled in
                translation.settings[setting] = None
                translation.taken.add(("", setting))
            continue
        if setting == "description" and has_summary and not is_own:
            return
        reading = _read(dialect, value, is_own=is_own)
        if reading is None or not _is_usable(translation, setting, reading.value):
            says_nothing = isinstance(value, bool) or squash_key(candidate.key) in PATH_KEYS
            if is_own or (setting in {"date", "hero"} and not says_nothing):
                shown = reading.value if reading else value
                is_missing_image = setting == "hero" and reading is not None
                note = note_unreadable(candidate.name, shown, is_missing_image=is_missing_image)
                translation.add_note(note, candidate)
            continue
        translation.settings[setting] = reading.value
        if reading.is_complete:
            translation.taken.add((candidate.table, candidate.key))
            translation.taken |= {(candidate.table, key) for key in candidate.text_keys}
        is_as_written = reading.value in (decode_entities(value), " ".join(str(value).split()))
        if not is_own or not is_as_written:
            is_quoted = is_own and not isinstance(value, Mapping)
            origin = f"'{clip_value(value)}'" if is_quoted else candidate.name
            note = note_taken(setting, reading.value, origin, is_complete=reading.is_complete)
            translation.add_note(note, candidate)
        return


def _iter_candidates(source: Mapping[str, Any], dialect: Dialect) -> Iterator[_Candidate]:
    """Yield the keys of a dialect, ours first, those at the top level before those in tables."""
    if dialect.setting in source:
        yield _Candidate("", dialect.setting, source[dialect.setting])
    tables = [(name, source[name]) for name in source if squash_key(name) in NESTED_TABLES]
    for table, settings in [("", source), *tables]:
        if not isinstance(settings, Mapping):
            continue
        by_name = {squash_key(key): key for key in settings}
        for name in dialect.keys:
            key = by_name.get(name)
            if key is None or (not table and key == dialect.setting):
                continue
            candidate = _Candidate(table, key, settings[key])
            if dialect.setting == "hero" and isinstance(settings[key], str):
                candidate = _add_image_texts(candidate, name, settings)
            yield candidate


def _add_image_texts(candidate: _Candidate, name: str, settings: Mapping[Any, Any]) -> _Candidate:
    """Add ``image_alt`` and ``image_caption`` beside a key ``image`` to its value."""
    keys = {
        squash_key(key).removeprefix(name).removesuffix("text"): key
        for key, text in settings.items()
        if squash_key(key).startswith(name) and isinstance(text, str)
    }
    text_keys = {text: keys[text] for text in ("alt", "caption") if text in keys}
    if not text_keys or not candidate.value.strip():
        return candidate
    image: dict[str, Any] = {"src": candidate.value}
    image |= {text: settings[key] for text, key in text_keys.items()}
    return candidate._replace(value=image, text_keys=tuple(text_keys.values()))


def _read(dialect: Dialect, value: Any, *, is_own: bool) -> Reading | None:
    if dialect.setting in _TEXT_SETTINGS:
        value = decode_entities(value)
    if is_own and dialect.setting == "slug":
        return read_line(value)
    is_markup = isinstance(value, str) and (
        (dialect.setting in {*PREHEADER_KEYS, "author"} and "<" in value)
        or (dialect.setting == "author" and make_plain_text(value) != value)
    )
    is_spaced = dialect.read is read_spaced_tags and " " in str(value) and "," not in str(value)
    if is_own and not is_markup and not is_spaced and is_valid_setting(dialect.setting, value):
        return Reading(value)
    return dialect.read(value)


def _is_usable(translation: _Translation, setting: str, value: Any) -> bool:
    if setting == "hero" and is_valid_setting(setting, value):
        return translation.has_image(value["src"] if isinstance(value, Mapping) else value)
    return setting == "slug" or is_valid_setting(setting, value)


def _keep_own_setting(
    translation: _Translation, key: str, template_names: Collection[str] | None
) -> None:
    """Keep a setting that only we have, if its value is valid."""
    value = decode_entities(translation.source[key]) if key in PREHEADER_KEYS else None
    value = translation.source[key] if value is None else value
    summary = read_summary(value) if key in PREHEADER_KEYS and "<" in str(value) else None
    is_unknown_template = (
        key == "template"
        and template_names is not None
        and isinstance(value, str)  # is_valid_setting() is false for other values
        and value not in template_names
    )
    if summary:
        translation.settings[key] = summary.value
    elif value is None or (is_valid_setting(key, value) and not is_unknown_template):
        translation.settings[key] = value
        translation.taken.add(("", key))
    elif key != "draft":  # which may be a word of another tool
        translation.add_note(note_unreadable(key, value), _Candidate("", key, value))


def _collect_extra(translation: _Translation, front_matter: FrontMatter) -> dict[Any, Any]:
    """Return what wasn't taken, as it was, and note it."""
    source, taken = translation.source, translation.taken
    extra: dict[Any, Any] = {}
    remaining = [(key, value) for key, value in source.items() if ("", key) not in taken]
    own_extra = source.get("extra")
    if isinstance(own_extra, Mapping):
        extra = {key: value for key, value in own_extra.items() if ("extra", key) not in taken}
    if isinstance(own_extra, Mapping | None):
        remaining = [(key, value) for key, value in remaining if key != "extra"]
    names: list[str] = []
    for key, value in (*remaining, *((entry.key, entry.value) for entry in front_matter.repeated)):
        kept_value = value
        if isinstance(value, Mapping) and any(table == key for table, _ in taken):
            kept_value = {inner: value[inner] for inner in value if (key, inner) not in taken}
            if not kept_value:
                continue
        unused_key, number = key, 1
        while unused_key in extra:
            number += 1
            unused_key = f"{key}_{number}"
        extra[unused_key] = kept_value
        names.append(str(key))
    if others := [name for name in names if name not in translation.noted_keys]:
        translation.notes.append(SettingNote("extra", f"{list_keys(others)} (kept, not used)"))
    return extra
