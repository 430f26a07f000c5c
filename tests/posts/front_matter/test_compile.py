from collections.abc import Callable

import pytest

from newsletter.errors import Location
from newsletter.posts.front_matter.compile import CompiledFrontMatter, compile_front_matter
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import validate_front_matter
from newsletter.posts.merge_tags.compiler import MergeTagCompiler

TAG = '{{ subscriber.name | default("friend") }}'


def compile_block(block: str, compiler: MergeTagCompiler) -> CompiledFrontMatter:
    front_matter = split_front_matter(f"---\n{block}\n---\n", "post.md")
    fields = validate_front_matter(front_matter, "post.md")
    return compile_front_matter(fields, front_matter, "post.md", compiler)


@pytest.mark.parametrize(
    ("block", "get_text", "target"),
    [
        (f"title: '{TAG}'", lambda front: front.title, "text"),
        (f"subject: '{TAG}'", lambda front: front.subject, "text"),
        (f"preheader: '{TAG}'", lambda front: front.preheader, "text"),
        (f"author: '{TAG}'", lambda front: front.author_name, "text"),
        (f"author: {{name: A, bio: '{TAG}'}}", lambda front: front.author.bio, "text"),
        (
            f"author: {{name: A, picture: '{TAG}.png'}}",
            lambda front: front.author.picture.src.removesuffix(".png"),
            "url",
        ),
        (f"hero: '{TAG}'", lambda front: front.hero.src, "url"),
        (f"hero: {{src: a.png, alt: '{TAG}'}}", lambda front: front.hero.alt, "text"),
        (f"hero: {{src: a.png, caption: '{TAG}'}}", lambda front: front.hero.caption, "text"),
        (f"button: {{text: '{TAG}', url: '{TAG}'}}", lambda front: front.button.text, "text"),
        (f"button: {{text: '{TAG}', url: '{TAG}'}}", lambda front: front.button.url, "url"),
        (f"further: [{{title: '{TAG}', url: '{TAG}'}}]", lambda f: f.further[0].title, "text"),
        (f"further: [{{title: '{TAG}', url: '{TAG}'}}]", lambda f: f.further[0].url, "url"),
        (
            f"further: [{{title: A, url: 'https://b.example', text: '{TAG}'}}]",
            lambda front: front.further[0].text,
            "text",
        ),
    ],
)
def test_merge_tag_becomes_the_token_of_its_place(
    block: str, get_text: Callable[[CompiledFrontMatter], str], target: str
) -> None:
    compiler = MergeTagCompiler({})
    front = compile_block(block, compiler)
    (tag,) = compiler.merge_tags
    assert get_text(front) == tag.token("url" if target == "url" else "text")
    assert compiler.problems == []


@pytest.mark.parametrize(
    ("block", "preheader"),
    [
        ("preheader: A\ndescription: B\nsummary: C\nexcerpt: D", "A"),
        ("description: B\nexcerpt: D\nsummary: C", "B"),
        ("excerpt: D\nsummary: C", "C"),
        ("excerpt: D\nsummary: ''", "D"),
        ("title: A", ""),
    ],
)
def test_first_summary_is_the_preheader(block: str, preheader: str) -> None:
    assert compile_block(block, MergeTagCompiler({})).preheader == preheader


@pytest.mark.parametrize("key", ["title", "preheader", "excerpt", "author", "hero"])
def test_invalid_tag_is_reported_with_the_line_of_its_key(key: str) -> None:
    compiler = MergeTagCompiler({})
    compile_block(f"number: 1\n{key}: '{{{{ subscriber.boat }}}}'", compiler)
    assert [problem.where for problem in compiler.problems] == [Location("post.md", 3)]


@pytest.mark.parametrize(
    ("block", "has_box"), [("author: A", False), ("author: {name: A}", True), ("title: A", False)]
)
def test_author_with_settings_has_a_box(block: str, *, has_box: bool) -> None:
    assert (compile_block(block, MergeTagCompiler({})).author is not None) == has_box


def test_images_are_listed_with_their_keys() -> None:
    front = compile_block(
        "hero: a.png\nauthor: {name: A, picture: b.png}\nfurther:\n"
        "- {title: C, url: https://c.example, picture: c.png}\n"
        "- {title: D, url: https://d.example}\ndigest:\n"
        "- {title: E, url: https://e.example}\n"
        "- {title: F, url: https://f.example, picture: {src: f.png, alt: F}}",
        MergeTagCompiler({}),
    )
    assert [(key, index, image.src) for key, index, image in front.iter_images()] == [
        ("hero", None, "a.png"),
        ("author", None, "b.png"),
        ("further", 0, "c.png"),
        ("digest", 1, "f.png"),
    ]
