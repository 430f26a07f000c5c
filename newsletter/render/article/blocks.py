"""Finish pull quotes, sponsors, invitations to reply and buttons.

A sponsor's label and the address of an invitation are always written here, in the language of the
issue: HTML from elsewhere with these classes can't name another address, nor go without the label.
"""

from collections.abc import Mapping
from urllib.parse import quote

from newsletter.config import Config
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.dom import (
    Element,
    add_class,
    append_child,
    drop_classes,
    drop_element,
    get_classes,
    get_visible_text,
    is_blank,
    is_empty_element,
    rename_element,
    replace_element,
)

BUTTON_CLASS = "inline-button"
REPLY_CLASS = "reply-invitation"
SPONSOR_CLASS = "sponsor"
_LABEL_CLASS = "sponsor-label"
_NAME_CLASS = "sponsor-name"
_QUOTE_CLASS = "pullquote"
# As WordPress and Ghost write them, too.
_BUTTON_NAMES = frozenset({"button", "wp-block-button__link", "kg-btn"})
_BLOCK_CLASSES = (SPONSOR_CLASS, REPLY_CLASS, _QUOTE_CLASS)  # the first counts
_DASHES = ("\N{EM DASH}", "\N{EN DASH}", "\N{HORIZONTAL BAR}")


def mark_blocks(root: Element, words: Mapping[str, str], reply_url: str) -> None:
    """Finish the blocks of an article whose links are resolved.

    Args:
        root: the article; it is changed.
        words: those of the group ``article``.
        reply_url: where invitations to reply lead; see ``build_reply_url``.
    """
    for block in list(root.iter("*")):
        name = _take_block_name(block)
        if name == _QUOTE_CLASS and is_empty_element(block):
            drop_element(block)
        elif name == _QUOTE_CLASS:
            _finish_pull_quote(block)
        elif name == SPONSOR_CLASS and not _is_in_sponsor(block):
            _label_sponsor(block, words)
        elif name == REPLY_CLASS:
            _add_reply_button(block, words, reply_url)
    for link in list(root.iter("a")):
        is_button = not _BUTTON_NAMES.isdisjoint(get_classes(link))
        if is_button and link.get("href") and _has_only_text(link):
            _make_button(link)


def build_reply_url(issue: Issue, config: Config) -> str:
    """Return a ``mailto:`` URL (RFC 6068) with the subject that a reply would have."""
    address = issue.reply_to or config.sender.reply_to or config.sender.address
    url = f"mailto:{quote(address, safe='@')}"
    subjects = (issue.subject, issue.post.title)
    subject = next((text for text in subjects if not MERGE_TOKEN_PATTERN.search(text)), "")
    return f"{url}?subject={quote(f'Re: {subject}', safe='')}" if subject else url


def _has_only_text(link: Element) -> bool:
    return not is_blank(get_visible_text(link)) and next(link.iter("img"), None) is None


def _take_block_name(element: Element) -> str:
    """Return the class of the block that an element is, or ``""``; drop those that it isn't.

    So no box looks like a sponsor's without its label, and each is a ``div`` on the web as well.
    """
    blocks = [name for name in _BLOCK_CLASSES if name in get_classes(element)]
    if not blocks:
        return ""
    block = blocks[0] if element.tag in {"blockquote", "div"} else ""
    drop_classes(element, {*blocks, SPONSOR_CLASS} - {block} if block else {SPONSOR_CLASS})
    if block:
        rename_element(element, "div")
    return block


def _finish_pull_quote(block: Element) -> None:
    rename_element(block, "blockquote")
    paragraphs = [child for child in block if child.tag == "p"]
    if len(paragraphs) > 1 and get_visible_text(paragraphs[-1]).strip().startswith(_DASHES):
        add_class(paragraphs[-1], "pullquote-source")


def _is_in_sponsor(block: Element) -> bool:
    return any(SPONSOR_CLASS in get_classes(ancestor) for ancestor in block.iterancestors())


def _label_sponsor(block: Element, words: Mapping[str, str]) -> None:
    """Put the label first, with the sponsor's name if it is given."""
    first = next(iter(block), None)
    is_name = first is not None and first.tag == "p" and _NAME_CLASS in get_classes(first)
    name = first if is_name and is_blank(block.text) else None
    label = append_child(block, "p", words["sponsor"], class_=_LABEL_CLASS)
    if name is not None and not is_empty_element(name):
        label.text = f"{words['sponsor']} \N{MIDDLE DOT} "
        drop_element(name)
        rename_element(name, "span")
        label.append(name)
    label.tail, block.text = block.text, None
    block.insert(0, label)


def _add_reply_button(block: Element, words: Mapping[str, str], url: str) -> None:
    if is_empty_element(block):
        append_child(block, "p", words["invitation"])
    link = append_child(append_child(block, "p"), "a", words["reply"], href=url)
    _make_button(link)


def _make_button(link: Element) -> None:
    """Make a button of a link; one that is alone in its paragraph gets a cell for Outlook."""
    names = [name for name in get_classes(link) if name not in {"button", BUTTON_CLASS}]
    link.set("class", " ".join((BUTTON_CLASS, *names)))
    paragraph = link.getparent()
    if paragraph is None or paragraph.tag != "p" or len(paragraph) > 1:
        return
    if "text-align" in (paragraph.get("style") or ""):
        return  # a table has a place of its own
    if is_blank(paragraph.text) and is_blank(link.tail):
        table = append_child(paragraph.makeelement("div"), "table", class_="button-row")
        table.set("role", "presentation")
        for name in ("border", "cellpadding", "cellspacing"):
            table.set(name, "0")
        for name in ("id", "lang", "dir"):
            if value := paragraph.get(name):
                table.set(name, value)
        cell = append_child(append_child(table, "tr"), "td", class_="button-cell")
        replace_element(paragraph, table)
        link.tail = None
        cell.append(link)
