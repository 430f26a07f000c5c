"""From what stands in a mail back to the line of the source that an editor can mend."""

import html
import re
from urllib.parse import unquote

from newsletter.config.models import Config
from newsletter.errors import Location
from newsletter.posts.front_matter.parse import FrontMatter

SETTINGS = "newsletter.yml"
_WORD = re.compile(r"[^\W_]+")
_WINDOWS = (8, 5, 3, 1)
UTM = re.compile(r"(?<=[?&])utm_\w+=[^&#]*&?")
_SHORTEST = 3  # letters: a shorter word alone finds anything


class Places:
    """Looks words and addresses up in a post's source.

    Args:
        path: the post's file, as the user would type it.
        front: its front matter, split off.
        config: whose footer links are in no post.
    """

    def __init__(self, path: str, front: FrontMatter, config: Config) -> None:
        self.file = Location(path)
        self._front = front
        self._footer = {link.url for link in config.footer_links}
        self._keys = {key.lower().replace("-", "_"): line for key, line in front.lines.items()}

    def key(self, *names: str) -> Location:
        """The line of the first of these settings that the front matter has, else the first."""
        lines = (self._keys[name] for name in names if name in self._keys)
        return Location(self.file.path, next(lines, 1))

    def words(self, text: str, *keys: str) -> Location:
        """Where ``text`` stands, whatever markup is between its words.

        Args:
            text: as the reader sees it.
            keys: settings in which it may stand instead.
        """
        words = _WORD.findall(text)
        for size in _WINDOWS:
            some = words[:size]
            if not some or (size == 1 and len(some[0]) < _SHORTEST and len(words) > 1):
                continue
            if line := self._line(r"(?<![^\W_])" + r"[\W_]{1,80}?".join(map(re.escape, some))):
                return Location(self.file.path, line)
        return self.key(*keys) if any(key in self._keys for key in keys) else self.file

    def url(self, address: str, *keys: str) -> Location:
        """Where a link or an image is written, before it was made absolute and marked."""
        bare = UTM.sub("", address).rstrip("?&")
        if address in self._footer or bare in self._footer:
            return Location(SETTINGS)
        tail = unquote(bare.rstrip("/").rpartition("/")[2])
        for form in (address, bare, html.escape(bare), unquote(bare), tail):
            if form and (line := self._line(re.escape(form))):
                return Location(self.file.path, line)
        return self.key(*keys) if any(key in self._keys for key in keys) else self.file

    def _line(self, pattern: str) -> int | None:
        found = re.search(pattern, self._front.body)
        if found is None:
            return None
        return self._front.body_line + self._front.body.count("\n", 0, found.start())
