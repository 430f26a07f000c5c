"""Fetch many images of the web in parallel, and prepare them for email."""

import os
import queue
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from newsletter.errors import NewsletterError, PostError, Problem
from newsletter.posts.importing.images.prepare_image import PreparedImage, prepare_image

IMAGE_ACCEPT: Final = "image/jpeg,image/png,image/gif,image/svg+xml;q=0.9,*/*;q=0.5"
"""The ``Accept`` header: services that choose a format by it then send no WebP or AVIF."""

_THREADS = 8
_MAX_DECODERS = 4  # images in memory as pixels, of up to 160 MB each
# Substack's and Cloudinary's services: options, then the original's URL.
_WRAPPED_URL = re.compile(
    r"https?://[^/]+(?:/[^/]+){0,3}/image/fetch/(?:[^/]+/){0,5}?(https?(?:%3A|:).+)", re.IGNORECASE
)

ImageDownload = Callable[[str], bytes]
"""Return the body of a URL, or raise a ``NewsletterError`` that names the URL."""


@dataclass(frozen=True, slots=True)
class FetchedImages:
    """The results of fetching images, each by its URL; each URL is in one of the two.

    Attributes:
        images: the images.
        problems: why the others could not be copied.
    """

    images: Mapping[str, PreparedImage]
    problems: Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of images.

    Attributes:
        max_width: in pixels; wider images are scaled down.
        max_bytes: size limit of a file, as downloaded and as written.
    """

    max_width: int
    max_bytes: int


def fetch_images(
    candidates: Mapping[str, Sequence[str]],
    download: ImageDownload,
    limits: ImageLimits,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
) -> FetchedImages:
    """Download and prepare images in parallel; one that fails doesn't stop the others.

    The threads are daemons: after Ctrl-C, no download and no decoder keeps the program running.

    Args:
        candidates: URL of each image -> the URLs of its other sizes, tried in turn if the first
            one fails; after them the original in a URL of Substack's or Cloudinary's service.
        download: fetches one URL; it is called from several threads at once.
        limits: limits of each image.
        on_progress: called with the number of images that have just been completed.
    """
    worker = _Worker(candidates, download, limits)
    results: dict[str, PreparedImage | Problem] = {}
    try:
        for _ in range(min(_THREADS, len(candidates))):
            threading.Thread(target=worker.run, daemon=True).start()
        for _ in candidates:
            url, result = worker.completed.get()
            if isinstance(result, BaseException):
                raise result
            results[url] = result
            on_progress(1)
    finally:
        worker.stopped.set()
    in_order = [(url, results[url]) for url in candidates]
    return FetchedImages(
        {url: result for url, result in in_order if isinstance(result, PreparedImage)},
        {url: result for url, result in in_order if isinstance(result, Problem)},
    )


class _Worker:
    """The work of all threads.

    Attributes:
        completed: URL of an image and its result; an exception is raised in the main thread.
        stopped: set when no further result is needed.
    """

    def __init__(
        self, candidates: Mapping[str, Sequence[str]], download: ImageDownload, limits: ImageLimits
    ) -> None:
        self.completed: queue.SimpleQueue[tuple[str, PreparedImage | Problem | BaseException]] = (
            queue.SimpleQueue()
        )
        self.stopped = threading.Event()
        self._candidates = candidates
        self._download = download
        self._limits = limits
        self._pending: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._decoders = threading.Semaphore(min(os.cpu_count() or 1, _MAX_DECODERS))
        for url in candidates:
            self._pending.put(url)

    def run(self) -> None:
        """Fetch images until none is left."""
        while not self.stopped.is_set():
            try:
                url = self._pending.get_nowait()
            except queue.Empty:
                return
            try:
                self.completed.put((url, self._fetch(url)))
            except BaseException as error:  # noqa: BLE001 - fetch_images raises it
                self.completed.put((url, error))

    def _fetch(self, url: str) -> PreparedImage | Problem:
        """Return the image of the first URL that has one, or why the first one has none."""
        problems: list[Problem] = []
        for candidate in list_candidates(url, self._candidates[url]):
            if self.stopped.is_set():
                break
            try:
                return self._prepare(self._download(candidate))
            except PostError as error:
                problem = error.problems[0]
                message = f"the image {candidate} was not copied: {problem.message}"
                problems.append(problem._replace(message=message))
            except NewsletterError as error:
                problems.append(error.problems[0])
        return problems[0] if problems else Problem(f"the image {url} was not copied")

    def _prepare(self, data: bytes) -> PreparedImage:
        with self._decoders:
            return prepare_image(
                data, max_width=self._limits.max_width, max_bytes=self._limits.max_bytes
            )


def list_candidates(url: str, others: Sequence[str] = ()) -> list[str]:
    """Return the URLs to try for an image, each once: itself, others, unwrapped ones.

    The original in a wrapped URL comes last: its server may refuse everyone but the service
    (Substack's storage answers 403), and it may be far larger.
    """
    urls = [url, *others]
    originals = [
        found[1] if ":" in found[1] else unquote(found[1])
        for wrapped in urls
        if (found := _WRAPPED_URL.fullmatch(wrapped))
    ]
    return list(dict.fromkeys((*urls, *originals)))
