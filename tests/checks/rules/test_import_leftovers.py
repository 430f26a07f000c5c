"""Edges of the rules on import leftovers: what fires, and what stays quiet."""

from collections.abc import Callable

import pytest

CheckEdge = Callable[..., None]
GetMessages = Callable[..., list[str]]

AFTER = "\n\nThe boats lay at the quay again, and their paint was still wet at noon, in the fog.\n"
NAMES = "- Ana Lund\n- {}\n- Eva Foss\n"
PROFILES = "- [Ana Lund](https://git.example/ana)\n- [{}](https://{}/hana)\n"

FIRES: list[tuple[str, str, str]] = [
    ("blog-furniture", "Leave a Reply", "'Leave a Reply' is a blog's comment form"),
    ("blog-furniture", "Share this: Facebook, Twitter", "share bar"),
    ("blog-furniture", "Skip to content", "skip link"),
    ("blog-furniture", "This site uses cookies for you.", "cookie notice"),
    ("page-leftover", "Tags: boats, ice", "'Tags: boats, ice' looks like post details"),
    ("page-leftover", "Subscribe to our newsletter", "looks like newsletter sign-up"),
    ("page-leftover", "© 2026 Harbour Notes", "looks like site footer"),
    ("foreign-script", "Watch it قناة here", "is in Arabic script"),
    ("foreign-script", "смотреть онлайн бесплатно" + AFTER, "is in Cyrillic script"),
    ("foreign-script", "[бесплатно](https://x.example)", "is in Cyrillic script"),
    ("foreign-script", PROFILES.format("смотреть", "x.example"), "is in Cyrillic script"),
    ("foreign-script", "- [смотреть](https://x.example)", "is in Cyrillic script"),
    ("foreign-script", "Ana, Bo, [смотреть](https://x.example)", "is in Cyrillic script"),
    ("foreign-script", "Ana and смотреть", "is in Cyrillic script"),
    ("foreign-script", "Ana, онлайн на всю ночь до утра, Bo", "Cyrillic"),
    ("foreign-script", "Смотреть онлайн, бесплатно." + AFTER, "is in Cyrillic script"),
    ("foreign-script", "Дождь и туман на a-b.example" + AFTER, "is in Cyrillic script"),
    ("foreign-script", "[Тише едешь — дальше будешь.](https://x.example)", "is in Cyrillic"),
    ("injected-term", "Best online casino bonus", "has a gambling term"),
    ("injected-term", "- Cheap viagra", "has a drug term"),
    ("injected-term", "Hot XXX videos", "has an adult term"),
    ("injected-term", "Cheap viagra for `code`", "has a drug term"),
    ("reader-comment", "2 comments\n\nBo says:\n\nSo true.\n\nReply", "reader's comment"),
]

QUIET: list[tuple[str, str]] = [
    *[
        ("blog-furniture", f"{text}{AFTER}")
        for text in ("Share", "Comments", "Search", "- Share\n- Comments", "Leave a reply")
    ],
    ("blog-furniture", "What do you use most?\n\n- Share\n- Archive\n- Tables"),
    ("blog-furniture", "What do you use most?\n\n- Search\n- Archive\n- Tables\n- Navigation"),
    ("blog-furniture", "| used | by |\n|---|---|\n| Image | 280 |\n| Navigation | 181 |"),
    ("blog-furniture", "| Share | by |\n|---|---|\n| Image | 280 |\n| Tables | 181 |"),
    ("page-leftover", "| Subscribe | 12 |\n|---|---|\n| Image | 280 |"),
    ("page-leftover", "We tagged: nothing."),
    ("reader-comment", "What do you use?\n\n- Comments\n- Reply"),
    ("reader-comment", "Comments\n\nNothing else."),
    *[
        ("foreign-script", NAMES.format(name))
        for name in ("山田花子", "Анна Петрова (anna-p)", "김민준", "محمد علي", "Γιώργος", "@анна")
    ],
    *[
        ("foreign-script", f"{line}{after}")
        for line in (
            "Тише едешь — дальше будешь.",
            "Δεν ξέρω τίποτα",
            "港の朝は静かで、船は三日前からつながれたままだった。",
            "Свобода — это не бесплатно.",
            "Анна Петрова\n\n山田花子\n\nAna Lund\n\n김민준",
            "My teacher, Анна Петрова",
            "“Тише едешь — дальше будешь” (Russian)",
        )
        for after in ("", AFTER)
    ],
    ("foreign-script", PROFILES.format("山田花子", "git.example")),
    ("foreign-script", PROFILES.format("山田花子", "GIT.example")),
    ("foreign-script", "- [Ana](/ana)\n- [山田花子](/hana)"),
    ("foreign-script", "Ana Lund, 山田花子, Анна Петрова and Eva Foss"),
    ("foreign-script", "[Ana](https://git.example/a), [山田花](https://git.example/h), [Bo](https://git.example/b)"),
    ("foreign-script", "| name | boats |\n|---|---|\n| 山田花子 | 3 |\n| Анна | 4 |"),
    ("foreign-script", "About 12 μm, π and Ω."),
    *[
        ("injected-term", text)
        for text in ("- Run it with `--edition=xxx`", "Run it with --edition=xxx",
                     "- `casino online`", "The XXX placeholder", "GH-XXX: a fix",
                     "`poker online`", "Version 1.xxx",
                     "We say <kbd>viagra</kbd> here")
    ],
]  # fmt: skip


@pytest.mark.parametrize("edge", [*FIRES, *QUIET])
def test_edges(check_edge: CheckEdge, edge: tuple[str, ...]) -> None:
    check_edge(*edge)


@pytest.mark.parametrize(("title", "count"), [("Blog", 1), ("home ", 1), ("The boats", 0)])
def test_title_that_is_a_section_label(get_messages: GetMessages, title: str, count: int) -> None:
    assert len(get_messages("page-leftover", front={"title": title})) == count


def test_each_item_of_a_share_bar_is_found(get_messages: GetMessages) -> None:
    found = get_messages("blog-furniture", "- Share this post\n- Facebook\n- Twitter")
    assert [message.partition("'")[2] for message in found] == [
        f"{text}' is a blog's share bar" for text in ("Share this post", "Facebook", "Twitter")
    ]


CARD_TEXT = "The boats lay at the quay again, and their paint was still wet at noon, in the fog."
RUSSIAN_CARDS = [
    ("Смотреть прилив онлайн", "Смотрите прилив онлайн, бесплатно, на нашем сайте."),
    ("Прилив", ""),
]


@pytest.mark.parametrize(
    ("rule_id", "cards", "body", "count"),
    [
        ("foreign-script", RUSSIAN_CARDS, "", 0),
        ("foreign-script", [("Прилив", f"{CARD_TEXT} Вот.")], "", 0),
        ("foreign-script", RUSSIAN_CARDS, "[бесплатно](https://x.example)", 1),
        ("foreign-script", [(CARD_TEXT, "Смотреть онлайн бесплатно")], "", 1),
        ("injected-term", [("Best online casino bonus", CARD_TEXT)], "", 1),
    ],
)
def test_each_card_of_a_digest_may_be_in_another_language(
    get_messages: GetMessages, rule_id: str, cards: list[tuple[str, str]], body: str, count: int
) -> None:
    digest = [
        {"title": title, "url": f"https://{number}.example/{number}", "excerpt": excerpt}
        for number, (title, excerpt) in enumerate([*[("Boats", CARD_TEXT)] * 5, *cards])
    ]
    assert len(get_messages(rule_id, body, front={"digest": digest})) == count
