"""Many images at once: what fails is listed, other sizes are tried, Ctrl-C ends at once."""

import io
import threading
from contextlib import suppress

import pytest
from PIL import Image

from newsletter.errors import NewsletterError
from newsletter.fetch.download import DownloadError, DownloadErrorKind
from newsletter.posts.importing.images.fetch_images import (
    FetchedImages,
    ImageLimits,
    fetch_images,
    list_candidates,
)
from newsletter.posts.importing.images.prepare_image import PreparedImage, prepare_image
from newsletter.posts.importing.images.silent_hosts import skip_silent_hosts

LIMITS = ImageLimits(max_width=100, max_bytes=10_000)
BASE = "https://blog.example/"


def make_image(color: str) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (4, 3), color).save(output, "PNG")
    return output.getvalue()


FILES = {
    "a.png": make_image("red"),
    "copy-of-a.png": make_image("red"),
    "b.png": make_image("blue"),
    "login.png": b"<!doctype html><p>Sign in</p>",
    "huge.png": bytes(20_000),
}


def download(url: str) -> bytes:
    try:
        return FILES[url.removeprefix(BASE)]
    except KeyError:
        raise NewsletterError(f"could not fetch {url}: 404 Not Found", remedy="Check it.") from None


def fetch(**candidates: list[str]) -> FetchedImages:
    urls = {
        BASE + name.replace("_", "-") + ".png": [BASE + other for other in others]
        for name, others in candidates.items()
    }
    return fetch_images(urls, download, LIMITS)


def test_each_url_has_a_result() -> None:
    fetched = fetch(a=[], gone=[], login=[], b=[], huge=[], copy_of_a=[])
    images = {url.removeprefix(BASE): image.name for url, image in fetched.images.items()}
    assert list(images) == ["a.png", "b.png", "copy-of-a.png"]
    assert images["a.png"] == images["copy-of-a.png"] != images["b.png"]
    assert {url.removeprefix(BASE): str(problem) for url, problem in fetched.problems.items()} == {
        "gone.png": f"could not fetch {BASE}gone.png: 404 Not Found. Check it.",
        "login.png": f"the image {BASE}login.png was not copied: it is a web page, not an image. "
        "Open its URL in a browser: it may have moved, or need a login.",
        "huge.png": f"the image {BASE}huge.png was not copied: it has 20,000 bytes; the limit is "
        "10,000. Make it smaller, or raise limits.image_bytes in newsletter.yml.",
    }


def test_other_sizes_are_tried_in_turn() -> None:
    fetched = fetch(gone=["login.png", "b.png", "a.png"], lost=["login.png"])
    assert [image.data for image in fetched.images.values()] == [FILES["b.png"]]
    assert [problem.message for problem in fetched.problems.values()] == [
        f"could not fetch {BASE}lost.png: 404 Not Found"
    ]


@pytest.mark.parametrize(
    ("url", "original"),
    [
        (
            "https://substackcdn.com/image/fetch/$s_!x!,f_auto,q_auto:good/https%3A%2F%2Fb.example%2Fa%20b",
            "https://b.example/a b",
        ),
        ("https://cdn.substack.com/image/fetch/w_9/https://b.example/a%20b", "https://b.example/a%20b"),
        ("https://res.cloudinary.com/me/image/fetch/w_9/f_auto/http%3a%2f%2fb.example%2fa", "http://b.example/a"),
        ("https://blog.example/image/fetch/a.png", None),
        ("https://blog.example/a.png?u=https://b.example/image/fetch/", None),
    ],
)  # fmt: skip
def test_wrapped_original_comes_last(url: str, original: str | None) -> None:
    sizes = [url, f"{BASE}a.png"]
    assert list_candidates(url, [*sizes, url]) == [*sizes, *([original] if original else [])]


def test_progress_counts_each_image() -> None:
    steps: list[int] = []
    urls = {f"{BASE}{number}.png": () for number in range(20)}
    fetched = fetch_images(urls, download, LIMITS, on_progress=steps.append)
    assert sum(steps) == len(fetched.problems) == 20
    assert fetch_images({}, download, LIMITS) == FetchedImages({}, {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interruption_ends_at_once(error: type[BaseException]) -> None:
    started: list[str] = []
    released = threading.Event()

    def hang(url: str) -> bytes:
        started.append(url)
        released.wait()
        return FILES["a.png"]

    def interrupt(_: int) -> None:
        raise error

    def download_first(url: str) -> bytes:
        return FILES["a.png"] if url.endswith("/0.png") else hang(url)

    urls = {f"{BASE}{number}.png": () for number in range(100)}
    before = set(threading.enumerate())
    with pytest.raises(error):
        fetch_images(urls, download_first, LIMITS, on_progress=interrupt)
    threads = set(threading.enumerate()) - before
    assert all(thread.daemon for thread in threads)
    released.set()
    for thread in threads:
        thread.join()
    assert len(started) < 20


def test_programming_error_in_a_thread_is_raised() -> None:
    def fail(_: str) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch_images({f"{BASE}a.png": ()}, fail, LIMITS)


def test_few_images_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, decoding, most = threading.Lock(), 0, 0
    all_threads = threading.Barrier(8, timeout=60)

    def download_together(_: str) -> bytes:
        all_threads.wait()
        return noise

    def count(data: bytes, *, max_width: int, max_bytes: int) -> PreparedImage:
        nonlocal decoding, most
        with lock:
            decoding += 1
            most = max(most, decoding)
        try:
            return prepare_image(data, max_width=max_width, max_bytes=max_bytes)
        finally:
            with lock:
                decoding -= 1

    output = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(output, "JPEG")
    noise = output.getvalue()
    monkeypatch.setattr(f"{fetch_images.__module__}.prepare_image", count)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    limits = ImageLimits(max_width=100, max_bytes=1_000_000)
    urls: dict[str, list[str]] = {f"{BASE}{number}.jpg": [] for number in range(24)}
    assert len(fetch_images(urls, download_together, limits).images) == 24
    assert most <= 4


@pytest.mark.parametrize(
    ("kind", "status", "is_silent"),
    [
        ("failing", 0, True),
        ("too slow", 0, True),
        ("dead", 0, True),
        ("certificate", 0, True),
        ("failing", 500, False),
        ("dead", 404, False),
        ("too large", 0, False),
        ("private", 0, False),
    ],
)
def test_host_without_responses_is_not_asked_again(
    kind: DownloadErrorKind, status: int, is_silent: bool
) -> None:
    asked: list[str] = []

    def download_from_good(url: str) -> bytes:
        asked.append(url)
        if "//gone.example" in url:
            raise DownloadError("could not fetch it", kind=kind, status=status)
        return FILES["a.png"]

    polite = skip_silent_hosts(download_from_good)
    for number in range(6):
        with pytest.raises(NewsletterError) as raised:
            polite(f"https://gone.example/{number}.png")
    assert polite(f"{BASE}a.png")
    assert len(asked) == (3 if is_silent else 6) + 1
    assert ("gone.example had not responded" in str(raised.value)) is is_silent


def test_host_that_responds_again_is_asked() -> None:
    results: list[Exception | bytes] = [
        *[DownloadError("could not fetch it", kind="failing")] * 2, FILES["a.png"],
        *[DownloadError("could not fetch it", kind="failing")] * 2, FILES["b.png"],
    ]  # fmt: skip

    def download_next(_: str) -> bytes:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    polite, found = skip_silent_hosts(download_next), []
    for _ in range(6):
        with suppress(DownloadError):
            found.append(polite(BASE))
    assert found == [FILES["a.png"], FILES["b.png"]]
