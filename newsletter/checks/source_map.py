"""Find the source line of a text or a URL in an email."""

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from newsletter.config.models import Config
from newsletter.errors import Location
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.stills import get_file_name

CONFIG_FILE_NAME = "newsletter.yml"
_WORD = re.compile(r"[^\W_]+")
_WORD_WINDOWS = (8, 5, 3, 1)  # words searched for: the fewer, the likelier a wrong match
UTM_PARAMETER = re.compile(r"(?<=[?&])utm_\w+=[^&#]*&?")
_CARD_SETTINGS = ("digest", "further")
_MIN_WORD_LENGTH = 3  # letters: a shorter word alone matches anywhere


class SourceMap:
    """Lookup of texts and URLs in a post's source.

    Args:
        path: the post's file, as the user would type it.
        front_matter: its front matter and body.
        config: the settings; their footer links are in newsletter.yml, not in the post.
    """

    def __init__(self, path: str, front_matter: FrontMatter, config: Config) -> None:
        self.file = Location(path)
        self._front_matter = front_matter
        self._footer_urls = {link.url for link in config.footer_links}
        self._setting_lines = front_matter.lines

    def locate_setting(self, *names: str) -> Location:
        """Return the line of the first of these settings that the front matter has, else line 1."""
        lines = (self._setting_lines[name] for name in names if name in self._setting_lines)
        return Location(self.file.path, next(lines, 1))

    def locate_text(self, text: str, *keys: str) -> Location:
        """Return the line of ``text`` in the body or of its card, whatever markup is in it.

        If it isn't found, return the line of the first of ``keys`` that is set, else the file.

        Args:
            text: the text as the reader sees it.
            keys: front matter settings that may contain it instead.
        """
        words = _WORD.findall(text)
        for size in _WORD_WINDOWS:
            phrase = words[:size]
            if not phrase or (size == 1 and len(phrase[0]) < _MIN_WORD_LENGTH and len(words) > 1):
                continue
            if line := self._find_line(
                r"(?<![^\W_])" + r"[\W_]{1,80}?".join(map(re.escape, phrase))
            ):
                return Location(self.file.path, line)
        return (
            self.locate_setting(*keys)
            if any(key in self._setting_lines for key in keys)
            else self.file
        )

    def locate_url(self, url: str, *keys: str) -> Location:
        """Return the line of a link or an image, as ``locate_text`` does.

        In the source the URL may be relative, escaped, and without UTM parameters. The footer's
        links are in newsletter.yml.

        Args:
            url: the absolute URL in the email.
            keys: front matter settings that may contain it instead.
        """
        url = get_file_name(url)
        bare = UTM_PARAMETER.sub("", url).rstrip("?&")
        if url in self._footer_urls or bare in self._footer_urls:
            return Location(CONFIG_FILE_NAME)
        tail = unquote(bare.rstrip("/").rpartition("/")[2])
        for candidate in (url, bare, html.escape(bare), unquote(bare), tail):
            if candidate and (line := self._find_line(re.escape(candidate))):
                return Location(self.file.path, line)
        return (
            self.locate_setting(*keys)
            if any(key in self._setting_lines for key in keys)
            else self.file
        )

    def _find_line(self, pattern: str) -> int | None:
        found = re.search(pattern, self._front_matter.body)
        if found is None:
            return self._find_card_line(pattern)
        return self._front_matter.body_line + self._front_matter.body.count("\n", 0, found.start())

    def _find_card_line(self, pattern: str) -> int | None:
        """Return the line of the card, in a list of them, that has the pattern in its texts."""
        for key in _CARD_SETTINGS:
            cards = self._front_matter.data.get(key)
            for index, card in enumerate(cards if isinstance(cards, list) else ()):
                if any(re.search(pattern, text) for text in _iter_texts(card)):
                    return self._front_matter.find_line(key, index)
        return None


def _iter_texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _iter_texts(inner)
    elif isinstance(value, str):
        yield value
