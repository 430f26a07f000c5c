"""Images of a blog for its emails: 100 of 2400 pixels, against Pillow in a plain loop.

Half of them are JPEG, a quarter PNG, a quarter WebP, all different, and in memory: downloading is
not measured. The baseline opens, resizes and saves each as JPEG, one after the other; it neither
turns an image upright nor converts its colors nor decides on its format.
"""

import io
import os
import random
import time
from collections.abc import Callable, Mapping

from PIL import Image

from newsletter.posts.importing.images.fetch_images import ImageLimits, fetch_images

IMAGES = int(os.environ.get("BENCH_IMAGES", "100"))
SIZE = (2400, 1600)
MAX_WIDTH = 1240
KINDS = ("JPEG", "PNG", "JPEG", "WEBP")
OPTIONS: Mapping[str, Mapping[str, int]] = {
    "JPEG": {"quality": 88},
    "PNG": {"compress_level": 3},
    "WEBP": {"quality": 85, "method": 1},
}
GOAL_SECONDS = 30.0


def make_images(count: int) -> dict[str, bytes]:
    """Return different photographs by name: soft shapes, with the noise of a camera."""
    generator = random.Random(1)  # noqa: S311 - no secret
    width, height = SIZE
    large = (width * 2, height * 2)
    bands = [Image.effect_noise((large[0] // 40, large[1] // 40), 90) for _ in range(3)]
    shapes = Image.merge("RGB", bands).resize(large, Image.Resampling.BICUBIC)
    grain = Image.merge("RGB", [Image.effect_noise(large, 24)] * 3)
    photo = Image.blend(shapes, grain, 0.15)
    images = {}
    for number in range(count):
        left, top = generator.randrange(width), generator.randrange(height)
        kind = KINDS[number % len(KINDS)]
        output = io.BytesIO()
        photo.crop((left, top, left + width, top + height)).save(output, kind, **OPTIONS[kind])
        images[f"https://blog.example/{number}.{kind.lower()}"] = output.getvalue()
    return images


def prepare_all(images: Mapping[str, bytes]) -> int:
    """Prepare the images; return how many bytes they have then."""
    limits = ImageLimits(max_width=MAX_WIDTH, max_bytes=50_000_000)
    fetched = fetch_images(dict.fromkeys(images, ()), images.__getitem__, limits)
    assert len(fetched.images) == len(images), fetched.problems
    return sum(len(image.data) for image in fetched.images.values())


def resize_all(images: Mapping[str, bytes]) -> int:
    """Resize the images with Pillow, one by one; return how many bytes they have then."""
    total = 0
    for data in images.values():
        output = io.BytesIO()
        with Image.open(io.BytesIO(data)) as image:
            size = (MAX_WIDTH, round(image.height * MAX_WIDTH / image.width))
            image.resize(size, Image.Resampling.LANCZOS).save(output, "JPEG", quality=82)
        total += len(output.getvalue())
    return total


def measure(
    action: Callable[[Mapping[str, bytes]], int], images: Mapping[str, bytes]
) -> tuple[float, float]:
    """Return the seconds that an action takes, by the clock and of CPU time; print them."""
    started, cpu_started = time.perf_counter(), time.process_time()
    byte_count = action(images)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    print(f"{action.__name__:<12} {seconds:6.2f} s  CPU {cpu:6.2f} s  {byte_count / 1e6:5.1f} MB")
    return seconds, cpu


def main() -> None:
    images = make_images(IMAGES)
    total = sum(map(len, images.values()))
    print(f"{len(images)} images of {SIZE[0]} by {SIZE[1]} pixels, {total / 1e6:.0f} MB")
    baseline = measure(resize_all, images)
    ours = measure(prepare_all, images)
    wall, cpu = (mine / theirs for mine, theirs in zip(ours, baseline, strict=True))
    print(f"ratio        {wall:6.2f} x  CPU {cpu:6.2f} x  goal {GOAL_SECONDS:.0f} s on two cores")


if __name__ == "__main__":
    main()
