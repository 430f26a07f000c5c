"""Choose the language of a page and load its words."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from newsletter.config import safe_yaml
from newsletter.errors import Location, TemplateError, display_path
from newsletter.project import Project
from newsletter.render.words import (
    FALLBACK_LANGUAGE,
    find_language,
    load_own_words,
    load_shipped_words,
    read_own_words,
)

# Where version 0.1 has all messages, by language.
_OLD_MESSAGES_FILE = Path("web", "words.yml")
_NOT_MESSAGES = "not a mapping of languages to messages"


class PageWords:
    """The words of a newsletter's pages, by language; each language is loaded when it is needed.

    Args:
        project: the newsletter's project.

    Raises:
        TemplateError: one of the project's own files is wrong, in whichever language.
    """

    def __init__(self, project: Project) -> None:
        self._language = project.config.language
        self._own = read_own_words(project.templates_dir)
        self._old = _read_old_messages(project.templates_dir / _OLD_MESSAGES_FILE)
        self._loaded: dict[str, Mapping[str, str]] = {}
        for language in (self._language, *self._own.texts):
            self.load(language)

    def choose_language(self, preferred: Iterable[str]) -> str:
        """Return the first of the preferred languages that has words, else the newsletter's."""
        newsletters = find_language(self._own, self._language)
        for tag in preferred:
            found = find_language(self._own, tag)
            if tag == "*" or tag.lower() == self._language.lower():
                break
            if found is not None:
                return found if found != newsletters else self._language
        return self._language

    def load(self, language: str) -> Mapping[str, str]:
        """Return key -> text in a language: the project's own before the shipped ones.

        In a file of version 0.1, English is overridden by the newsletter's language, and that by
        its regional variant.
        """
        if language not in self._loaded:
            words = load_shipped_words(language, "page")
            fallback = [FALLBACK_LANGUAGE] if language == self._language else []
            for tag in (*fallback, language.partition("-")[0], language):
                words |= self._old.get(tag, {})
            self._loaded[language] = words | load_own_words(self._own, language, "page")
        return self._loaded[language]


def _read_old_messages(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        by_language = _parse_old_messages(path.read_text("utf-8"))
    except (safe_yaml.YamlError, UnicodeDecodeError) as error:
        where = Location(display_path(path), getattr(error, "line", None))
        is_other_content = getattr(error, "kind", "") == "content"
        message = _NOT_MESSAGES if is_other_content else "the messages can't be read"
        raise TemplateError(message, where=where) from error
    if not all(isinstance(messages, dict) for messages in by_language.values()):
        raise TemplateError(_NOT_MESSAGES, where=Location(display_path(path)))
    return {
        tag: {str(key): str(message) for key, message in messages.items()}
        for tag, messages in by_language.items()
    }


@lru_cache(maxsize=2)
def _parse_old_messages(text: str) -> dict[str, Any]:
    entries = safe_yaml.load_entries(text)
    # The mapping's own keys override those merged with <<; of the merged, the first counts.
    merged = {entry.key: entry.value for entry in reversed(entries) if entry.is_merged}
    return merged | {entry.key: entry.value for entry in entries if not entry.is_merged}
