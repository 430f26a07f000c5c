"""Format the HTML of our blocks.

Captions, summaries and contents are HTML; titles, alternative texts and URLs are plain text.
"""

import html
from collections.abc import Iterable, Mapping

_CALLOUT_KINDS: Mapping[str, str] = {
    **dict.fromkeys("\U0001f4a1\u2728\U0001f44d\u2705", "tip"),
    **dict.fromkeys("\u2757\u203c\U0001f4cc\U0001f514\u2b50", "important"),
    **dict.fromkeys("\u26a0\U0001f6a7", "warning"),
    **dict.fromkeys("\u26d4\U0001f6ab\U0001f6d1\u2620\u274c", "caution"),
}
_RATINGS = 5


def format_figure(content: str, caption: str = "") -> str:
    """Return a figure."""
    caption = caption.strip()
    return f"<figure>{content}{f'<figcaption>{caption}</figcaption>' if caption else ''}</figure>"


def format_picture(src: str, alt: str = "", *, href: str = "") -> str:
    """Return an image, within a link if there is one; empty without a source."""
    if not src:
        return ""
    picture = f'<img src="{html.escape(src)}" alt="{html.escape(alt)}">'
    return f'<a href="{html.escape(href)}">{picture}</a>' if href else picture


def format_image_block(src: str, alt: str = "", caption: str = "", *, href: str = "") -> str:
    """Return an image with its caption; only the caption if it has no source."""
    picture = format_picture(src, alt, href=href)
    return format_figure(picture, caption) if picture else format_paragraph(caption)


def format_gallery(pictures: Iterable[str], caption: str = "") -> str:
    """Return a gallery of images that are HTML."""
    figure = format_figure("".join(pictures), caption)
    return figure.replace("<figure>", '<figure class="gallery">', 1)


def format_paragraph(content: str, class_name: str = "") -> str:
    """Return a paragraph; empty if it has no content."""
    attribute = f' class="{class_name}"' if class_name else ""
    return f"<p{attribute}>{content}</p>" if content.strip() else ""


def format_button(text: str, url: str) -> str:
    """Return a button; only its words if it leads nowhere."""
    text = html.escape(text.strip() or url)
    if not url:
        return format_paragraph(text)
    return format_paragraph(f'<a class="button" href="{html.escape(url)}">{text}</a>')


def format_link_card(
    url: str, title: str, description: str = "", *, picture: str = "", byline: str = ""
) -> str:
    """Return a card that leads to a page; all texts are plain."""
    title = " ".join(title.split())
    if url.startswith(("http://", "https://", "__GHOST_URL__/")):
        poster = f' poster="{html.escape(picture)}"' if picture else ""
        name = f' title="{html.escape(title)}"' if title else ""
        card = f'<iframe src="{html.escape(url)}"{name}{poster}></iframe>'
    elif url:
        card = format_paragraph(f'<a href="{html.escape(url)}">{html.escape(title or url)}</a>')
    else:
        card = format_paragraph(f"<strong>{html.escape(title)}</strong>" if title else "")
    return (
        card
        + format_paragraph(html.escape(description))
        + format_paragraph(html.escape(byline), "small")
    )


def format_player(
    tag: str, src: str, title: str = "", *, poster: str = "", caption: str = ""
) -> str:
    """Return a ``video`` or ``audio``; only its words if it has no source."""
    attributes = {"src": src, "title": " ".join(title.split()), "poster": poster}
    text = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items() if value)
    if not src:
        return format_paragraph(html.escape(title)) + format_paragraph(caption)
    return format_figure(f"<{tag}{text} controls></{tag}>", caption)


def format_callout(content: str, emoji: str = "") -> str:
    """Return a callout; its kind is that which its emoji stands for."""
    kind = _CALLOUT_KINDS.get(emoji[:1], "note")
    mark = html.escape(f"{emoji} ") if emoji else ""
    if content.lstrip().startswith("<p>"):
        content = content.lstrip().replace("<p>", f"<p>{mark}", 1)
    else:
        content = format_paragraph(f"{mark}{content}")
    return f'<div class="callout callout-{kind}">{content}</div>'


def format_details(summary: str, content: str) -> str:
    """Return a summary with what it unfolds."""
    return f"<details><summary>{summary}</summary>{content}</details>"


def format_code(code: str, language: str = "", caption: str = "") -> str:
    """Return a block of code; ``code`` is plain."""
    name = "".join(char for char in language if char.isalnum() or char in "+#-_")
    class_name = f' class="language-{name}"' if name else ""
    block = f"<pre><code{class_name}>{html.escape(code, quote=False)}</code></pre>"
    return format_figure(block, caption) if caption.strip() else block


def format_rating(stars: int) -> str:
    """Return so many of five stars."""
    stars = min(max(stars, 0), _RATINGS)
    return format_paragraph("\u2605" * stars + "\u2606" * (_RATINGS - stars))


def format_file(url: str, title: str, caption: str = "", *, details: str = "") -> str:
    """Return a link to a file, with what it is; all texts are plain."""
    name = f"<strong>{html.escape(title.strip() or url)}</strong>"
    link = f'<a href="{html.escape(url)}">{name}</a>' if url else name
    rest = " \u00b7 ".join(html.escape(part) for part in (caption.strip(), details.strip()) if part)
    return format_paragraph(f"{link}<br>{rest}" if rest else link)


def format_sponsor(content: str, name: str = "") -> str:
    """Return a sponsor's box; its label is added when it is rendered."""
    return (
        f'<div class="sponsor">{format_paragraph(html.escape(name), "sponsor-name")}{content}</div>'
    )
