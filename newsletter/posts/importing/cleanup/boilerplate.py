"""Find the boilerplate around an article that was copied from a page.

Rules match whole lines or paragraphs, and only where boilerplate occurs: before the first running
text or after the last. An article about comment forms keeps its sentences.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from newsletter.posts.importing.cleanup.paragraph import Passage

# Share of a list's items, or of a table's cells, below which one that looks like it is an answer
# of a survey or the name of a feature.
_MIN_GROUP_SHARE = 1 / 2
_MAX_LENGTH = 300  # characters; no boilerplate is longer, and patterns stay fast
_SHARE_TARGETS = (
    r"(facebook|twitter|x|linked ?in|pinterest|reddit|tumblr|telegram|mastodon|bluesky"
    r"|what.?s ?app|threads|pocket|hacker news|e-?mail|print|copy( link)?|more|tweet|pin( it)?)"
)


class BoilerplatePosition(Enum):
    """Where in a post a rule applies."""

    LABEL = auto()  # above the title
    HEAD = auto()  # before the first running text
    TAIL = auto()  # after the last running text
    ENDS = auto()  # in the head or the tail
    AFTER = auto()  # in the tail, right after other boilerplate of the same kind
    HEADING = auto()  # in the tail, and the titles under it are boilerplate too


_HEAD_POSITIONS = frozenset({BoilerplatePosition.HEAD, BoilerplatePosition.ENDS})
_TAIL_POSITIONS = frozenset({
    BoilerplatePosition.TAIL, BoilerplatePosition.ENDS, BoilerplatePosition.AFTER,
    BoilerplatePosition.HEADING,
})  # fmt: skip


class BoilerplateRule(NamedTuple):
    """A rule for one kind of boilerplate.

    Attributes:
        description: the kind, as shown to the editor.
        position: where in a post it may be.
        pattern: matches the whole text.
    """

    description: str
    position: BoilerplatePosition
    pattern: re.Pattern[str]


def _make_rule(description: str, position: BoilerplatePosition, *patterns: str) -> BoilerplateRule:
    return BoilerplateRule(
        description,
        position,
        re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE),
    )


BOILERPLATE_RULES: tuple[BoilerplateRule, ...] = (
    _make_rule(
        "section label",
        BoilerplatePosition.LABEL,
        r"((our|the|my|latest|from the) )?(blog|news|articles?|journal|posts?|stories|updates)",
        r"press|insights|resources|uncategori[sz]ed|magazine|features?|opinions?|home",
        r"aktuelles|nachrichten|neuigkeiten|actualit[ée]s|noticias|notizie|not[íi]cias|nieuws",
        r"nyheter|nyheder|blogg|блог|новости|ブログ|博客|新闻|المدونة|مدونة",
    ),
    _make_rule(
        "breadcrumb",
        BoilerplatePosition.HEAD,
        r"(home|start|blog)( ?[»›>/→] ?[^»›>/→]{1,80})+",  # noqa: RUF001
    ),
    _make_rule(
        "skip link",
        BoilerplatePosition.ENDS,
        r"skip to (the )?(main )?(content|navigation|footer|menu)",
    ),
    _make_rule(
        "menu",
        BoilerplatePosition.ENDS,
        r"(main |primary |toggle |open |close )?(navigation|menu)",
        r"search( for:?|…|\.\.\.)?",
        r"back to (top|the top|blog|the blog|all posts)|scroll to top",
    ),
    _make_rule(
        "reading time",
        BoilerplatePosition.HEAD,
        r"(reading time:? )?\d+ ?-?(min|mins|minutes?)( of)?( read(ing)?)?( time)?",
    ),
    _make_rule(
        "post details",
        BoilerplatePosition.ENDS,
        r"(posted|published|filed|last updated|updated) (on|in|by|under|at)\b[^.!?]{1,90}",
        r"(posted|published|updated|tags?|tagged|category|categories|filed under|labels):.{1,150}",
        r"(\d+|no) (comments?|views?|likes?|shares?)( (on|so far).{0,100})?",
    ),
    _make_rule(
        "share bar",
        BoilerplatePosition.ENDS,
        r"share( (this|on|via|with|it))?( (post|article|page|story|entry|friends))?"
        rf":?([ ,|/·•]+{_SHARE_TARGETS})*[:!]?",
        rf"{_SHARE_TARGETS}([ ,|/·•]+{_SHARE_TARGETS})+",
        r"(click to )?(share|email|print|tweet)( this| a link)? ?(on|to|via) .{1,40}",
        r"click to (print|email).{0,60}|like this:?|like loading(\.\.\.|…)|loading(\.\.\.|…)",
    ),
    _make_rule("share bar", BoilerplatePosition.AFTER, _SHARE_TARGETS),
    _make_rule(
        "comment form",
        BoilerplatePosition.TAIL,
        r"(leave|post|add|write) (a|your) (reply|comment)( to .{1,80})?|cancel reply",
        r"join the (discussion|conversation)|comments are closed\.?",
        r"your e-?mail address will not be (published|shared).{0,120}",
        r"required fields are marked.{0,5}|\* ?indicates required( field)?s?",
        r"save my name.{1,40}website.{1,40}next time i comment\.?",
        r"(you must be|please) log(ged)?[ -]?in to (post|leave|write) a comment\.?",
        r"this site uses akismet.{1,120}|notify me of (new|follow-?up) .{1,40}",
        r"deja (una respuesta|un comentario)|tu direcci[óo]n de correo .{1,120}",
        r"schreibe? (uns )?einen kommentar.{0,40}|.{1,20}-adresse wird nicht .{1,120}",
        r"laisser un commentaire.{0,40}|votre .{1,20}mail ne sera pas .{1,120}",
        r"lascia un commento.{0,40}|il tuo indirizzo email non sar[àa] .{1,120}",
        r"deixe um co.{5,6}rio.{0,40}|o seu endere[çc]o de e-?mail n[ãa]o .{1,120}",
        r"geef een reactie.{0,40}|je e-mailadres wordt niet .{1,120}",
        r"legg igjen (en kommentar|et svar).{0,40}|din e-postadresse vil ikke .{1,120}",
        r"добавить комментарий.{0,40}|ваш (адрес )?e-?mail не будет .{1,120}",
        r"コメントを残す.{0,40}|メールアドレスが公開されることはありません.{0,80}",
        r"اترك (تعليق|رد)[^.]{0,40}|لن يتم نشر عنوان بريدك .{1,120}",
    ),
    _make_rule(
        "comment form",
        BoilerplatePosition.AFTER,
        r"(your )?(comment|name|e-?mail( address)?|website|url|message)( ?\*| ?\(required\))?:?",
        r"(post|submit|send)( a| your)?( comment| reply)?|reply",
    ),
    _make_rule(
        "related posts",
        BoilerplatePosition.HEADING,
        r"(related|similar|recommended|recent|popular|latest|more|other|further)"
        r" (posts?|articles?|stories|news)( from .{1,60}| for you)?:?",
        r"(you (may|might|may) also|people also) (like|enjoy|be interested in|read).{0,20}",
        r"(more from|more by|more in) .{1,60}|read (next|also|more):?|keep reading|next up:?",
        r"das k[öo]nnte .{3,4} auch interessieren|[àa] lire aussi|.{2} puede interesar",
    ),
    _make_rule(
        "related posts",
        BoilerplatePosition.TAIL,
        r"(read (more|next|also)|keep reading) ?[:»→].{0,120}|continue reading .{1,120}",
        r"(read more|continue reading|learn more)[ .…»→>]*",
    ),
    _make_rule(
        "post navigation",
        BoilerplatePosition.TAIL,
        r"post navigation|(previous|next|older|newer)( (post|article|entry|story|posts|page))?",
        r"(previous|next|older|newer) (post|article|entry|story|posts)\b[ :→←»«].{0,150}",
        r"[←‹][^→›]{0,150}|[^←‹]{0,150}[→›]|«[^»]{0,150}|[^«]{0,150}»",  # noqa: RUF001 - arrows
    ),
    _make_rule(
        "newsletter sign-up",
        BoilerplatePosition.TAIL,
        r"(subscribe|sign up|join)( now| today| here)?[.!]?",
        r"(subscribe|sign up|join)( to| for)?( our| my| the| this)?( \w+){0,2}"
        r" (newsletter|mailing list|e-?mail list|updates|blog)\b.{0,80}",
        r"(get|receive) (new|the latest|our latest|all) (posts|articles|updates|news)\b.{0,80}",
    ),
    _make_rule(
        "cookie notice",
        BoilerplatePosition.ENDS,
        r"(this|our|the) (web)?site uses cookies.*|we use (\w+ )?cookies.*",
        r"by (continuing|using|clicking).{1,120}cookies.{0,120}",
        r"(accept|reject|allow|deny)( all)?( cookies)?|manage (preferences|cookies|consent)",
        r"cookie (policy|settings|preferences|notice)|privacy & cookies:.*",
    ),
    _make_rule(
        "site footer",
        BoilerplatePosition.TAIL,
        r"(©|\(c\)|copyright\b).{1,120}|all rights reserved\.?",
        r"(proudly )?powered by .{1,40}|(theme|design|website) by .{1,40}",
        r"(privacy policy|terms( (of|and) (use|service|conditions))?|imprint|impressum|sitemap)",
    ),
)


class ContentRange(NamedTuple):
    """Start and end of the running text of an article.

    Attributes:
        start: index of the first passage of running text (passages before may be boilerplate).
        end: index after the last one.
    """

    start: int
    end: int


def find_content_range(passages: Sequence[Passage]) -> ContentRange:
    """Return the range of the running text.

    If there is none, boilerplate may be anywhere: ``start`` is after the last passage, and ``end``
    after the first, which may be a title.
    """
    prose = [
        index
        for index, passage in enumerate(passages)
        if passage.is_prose and not _match_rule(passage.text, set(BoilerplatePosition))
    ]
    return ContentRange(prose[0], prose[-1] + 1) if prose else ContentRange(len(passages), 1)


def find_boilerplate(
    passages: Sequence[Passage], content: ContentRange, spam: Collection[int] = ()
) -> dict[int, str]:
    """Find the passages that are boilerplate.

    Args:
        passages: the whole post in order.
        content: the range of its running text.
        spam: indices already set aside; they are neither title nor boilerplate.

    Returns:
        Index of the passage -> kind of boilerplate, in the order of the post.
    """
    head, tail = content
    found = _find_labels(passages[:head], len(passages), spam)
    kind, under_heading = "", False
    for index, passage in enumerate(passages):
        if index in found or index in spam:
            continue
        positions = frozenset[BoilerplatePosition]()
        if index < head:
            positions |= _HEAD_POSITIONS
        if index >= tail:
            positions |= _TAIL_POSITIONS
        rule = _match_rule(passage.text, positions)
        if rule is None or (
            rule.position is BoilerplatePosition.AFTER and rule.description != kind
        ):
            if under_heading and index >= tail and not passage.is_prose:
                found[index] = kind
                continue
            kind, under_heading = "", False
            continue
        found[index] = kind = rule.description
        under_heading = rule.position is BoilerplatePosition.HEADING
    return dict(sorted(_drop_lone_items(passages, found).items()))


def _drop_lone_items(passages: Sequence[Passage], found: Mapping[int, str]) -> dict[int, str]:
    """Return ``found`` without items of lists and tables whose other items are none."""
    sizes = Counter(passage.group for passage in passages)
    found_sizes = Counter(passages[index].group for index in found)
    return {
        index: kind
        for index, kind in found.items()
        if not (group := passages[index].group)
        or found_sizes[group] > sizes[group] * _MIN_GROUP_SHARE
    }


def _find_labels(head: Sequence[Passage], total: int, spam: Collection[int]) -> dict[int, str]:
    """Find labels above the title: only boilerplate precedes them, and a title follows."""
    labels: dict[int, str] = {}
    for index, passage in enumerate(head):
        if index in spam:
            continue
        rule = _match_rule(passage.text, _HEAD_POSITIONS | {BoilerplatePosition.LABEL})
        if rule is None or index + 2 >= total:
            break
        labels[index] = rule.description
    return labels


def _match_rule(text: str, positions: Collection[BoilerplatePosition]) -> BoilerplateRule | None:
    normalized = " ".join(text.split())
    if not normalized or len(normalized) > _MAX_LENGTH:
        return None
    return next(
        (
            rule
            for rule in BOILERPLATE_RULES
            if rule.position in positions and rule.pattern.fullmatch(normalized)
        ),
        None,
    )
