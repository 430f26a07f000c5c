"""Edges of the rules on the text: what fires, and what looks like it but stays quiet."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from newsletter.checks.analysis.article_similarity import EarlierEmail
from newsletter.checks.rules.content import shorten_quote, unbalanced_quotes

CheckEdge = Callable[..., None]
GetMessages = Callable[..., list[str]]

LONG = "x" * 81

FIRES: list[tuple[str, str, str]] = [
    *[
        ("leftover-tag", f"Dear {tag}, hello.", f"{tag.strip('*')} is left in the text")
        for tag in ("|FNAME|", "*|FNAME|*", "%%name%%", "*|MC:SUBJECT|*", "|MC:SUBJECT|", "|UNSUB|",
                    "|EMAIL|", "%%emailaddr%%")
    ],
    ("leftover-tag", "Dear *|A1|*, hello.", "|A1| is left in the text"),
    ("leftover-tag", "Dear &lt;%= name %&gt;, hello.", "<%= name %> is left in the text"),
    ("leftover-tag", "Dear &lt;% name %&gt;, hello.", "<% name %> is left in the text"),
    ("leftover-tag", "<p>Dear \\*|FNAME|\\*, hello.</p>", "|FNAME|"),
    *[
        ("leftover-tag", f"Dear {tag}, hello.", f"{tag} is left in the text")
        for tag in ("{FNAME}", "{FIRST_NAME}", "%FIRSTNAME%", "%recipient.name%", "##name##",
                    "${name}", "${user.firstName}", "<<name>>", "<<First Name>>", "%email%")
    ],
    *[
        ("placeholder-text", text, f"'{found}' is a placeholder")
        for text, found in (
            ("Dear [First Name], hello.", "[First Name]"),
            ("See [LAST_NAME] here.", "[LAST_NAME]"),
            ("Dear [FNAME]!", "[FNAME]"),
            ("Hi undefined, how are you?", "undefined"),
            ("Dear null!", "null"),
            ("Hello [object Object],", "[object Object]"),
            ("Hei {name}, er du der?", "{name}"),
        )
    ],
    ("placeholder-text", "Lorem ipsum is here.", "'Lorem ipsum' is a placeholder"),
    ("placeholder-text", "And dolor sit amet.", "'dolor sit amet' is a placeholder"),
    *[
        ("placeholder-text", f"See \\[{text}\\] now.", f"'[{text}]' is a placeholder")
        for text in ("insert name", "Your text", "add a link", "name", "Title here", "link",
                     f"insert {'x' * 39}")
    ],
    *[
        ("placeholder-text", f"It is {text} now.", f"'{text}' is a placeholder")
        for text in ("your text here", "Your title here", "your headline here", "TKTK", "fixme",
                     "TODO", "TBD", "TK")
    ],
    ("placeholder-text", "Use `x` and TODO: say `y`.", "'TODO' is a placeholder"),
    ("placeholder-text", "- One item\n- FIXME", "'FIXME' is a placeholder"),
    *[
        ("placeholder-text", text, "is a placeholder")
        for text in ("TODO add a link to it.", "Here (TODO) it is.", "See the TODO: say more.",
                     "Two \\[TODO\\] items.", "A FIXME: say more.")
    ],
    *[
        ("sample-link", f"[a]({url})", f"{url} is an example URL")
        for url in ("https://example.com", "http://www.example.org/a", "https://example.net:8/a",
                    "https://example.com#a", "https://example.com?a", "https://your-domain.com/a",
                    "https://yourdomain.no/a", "https://my-site.com", "https://mycompany.de",
                    "https://your-newsletter.io/a", "https://domain.com/a")
    ],
    ("sample-link", "![Tern](https://example.com/a.png)", "a.png is an example URL"),
    ("sample-link", '<a href="HTTPS://EXAMPLE.COM/a">a</a>', "is an example URL"),
    ("unbalanced-quotes", "He said: “the rope is wet.", "'“the rope is wet.' is never closed"),
    ("unbalanced-quotes", "He said: «the rope is wet.", "'«the rope is wet.' is never closed"),
    ("unbalanced-quotes", "“One” and “two.", "'“two.' is never closed"),
    ("unbalanced-quotes", 'He said: "the rope is wet.', "'\"the rope is wet.' is never closed"),
    ("unbalanced-quotes", '"One", "two" and "three.', "'\"three.' is never closed"),
    ("unbalanced-quotes", "“One.\n\nTwo.", "'“One.' is never closed"),
    ("unbalanced-quotes", '"One.\n\nHe said: "Two," and "three."', "'\"One.' is never closed"),
    ("unbalanced-quotes", 'And so it ends."', "'And so it ends.\"' is never opened"),
    ("unbalanced-quotes", "«One.\n\n”Two.", "'«One.' is never closed"),
    ("misspelt-name", "You read Harbor Notes now.", "'Harbor Notes' looks like 'Harbour Notes'"),
    ("misspelt-name", "You read “Harbour Note”, now.", "'Harbour Note' looks like"),
    ("misspelt-name", "You read Harbour Nots now.", "looks like"),
    ("misspelt-name", "You read Harbor Note now.", "'Harbor Note' looks like"),
    ("misspelt-name", "You read Harbours Notes now.", "'Harbours Notes' looks like"),
]  # fmt: skip

QUIET: list[tuple[str, str]] = [
    *[
        ("leftover-tag", text)
        for text in ("Write `${name}`.", "```\n${name} {FNAME} %FIRSTNAME%\n```", "50 % OFF",
                     "From 10% to 20% of it.", "{NOTE} and {name} and {}", "## name\n\nText.",
                     "It is in %APPDATA% or %USERNAME%.", "${HOME} is set.", "a <<< b >>> c",
                     "<<like this>>", "##channel## and C##", "100%name", "{FOOTER}")
    ],
    *[
        ("placeholder-text", text)
        for text in ("He said [Sic], then.", "`[First Name]`", "[First Name](https://tides.example)",
                     "Hi undefined behaviour fans", "A value is null, or undefined.",
                     "Hi Null Island!", "The [first name of all] is his.", "Dear nullifier,",
                     "Hi {there}s")
    ],
    ("leftover-tag", "Dear {{ subscriber.name }}, hello."),
    *[
        ("leftover-tag", text)
        for text in ("Write `{{ name }}` or `*|FNAME|*`.", "    {% raw %}", "A |b| c, 5 |x 6|.",
                     "100%% sure, %%a%% b, 50%% and 60%%.", "The states |OK| and |FAIL|.",
                     "The row |ID|NAME|EMAIL|.", "Say |NO|.",
                     "Jupyter has %%time and %%bash.", "The &lt;%= yield %&gt; tag.",
                     "-nlx-", "Dear &lt;% a\nb %&gt;.",
                     "&lt;kbd&gt; <kbd>|FNAME|</kbd> <samp>|FNAME|</samp>",
                     "<pre>|FNAME|</pre>", "<code>a <b>|FNAME|</b></code>")
    ],
    *[
        ("placeholder-text", text)
        for text in ("The ipsum is here.", "See \\[1\\] and \\[sic\\].", "The \\[insertion\\] is.",
                     f"See \\[insert {'x' * 40}\\].", "Put your text there.", "ATKTKA FIXMES.",
                     "A todo list, a tbd.", "TODOS and TKO.", "TODO", "THE LAST TODO",
                     "Use `TODO` and `FIXME`.", "We use the `#[link]` attribute.",
                     "We use the “`#[link]`” attribute.", "    # TODO: later",
                     "```\n[insert name]\n```", "<kbd>TODO</kbd> and <samp>TBD</samp> are.",
                     "`a` `TODO`", "<code>a <b>FIXME</b> b</code>", "`&lt;TODO&gt;` is it.",
                     "A [link](https://tides.example) to it.", "\\[linked\\]",
                     "A story [[link](https://tides.example)] and [[title](https://a.example)].",
                     "I keep a TODO list.", "My TODO app.", "Die TODO-Listen.", "“TODO”",
                     "A FIXME tag.", "Every TODO comment is a FIXME.", "Write TODO comments.")
    ],
    *[
        ("sample-link", f"[a]({url})")
        for url in ("https://example.commons.org/a", "https://myexample.com", "https://domain.com.au",
                    "https://tides.example/a", "https://counterexample.com", "mailto:a@example.com",
                    "https://tides.example/example.com", "https://our-site.com",
                    "https://my.site.com/a", "https://subdomain.com")
    ],
    ("sample-link", "Open https://example.com/feed or http://yourdomain.com in your browser."),
    ("sample-link", "Open [example.com](https://example.com/) in your browser."),
    *[
        ("unbalanced-quotes", text)
        for text in ("“One” and “two”.", '"One,\n\ntwo."', 'He said: "One.\n\n"Two," he went on.',
                     "«One» and “two”.", "“One.\n\n“Two.”", 'A 5" screen.',
                     "A 27 ″ screen and “it”.", "One” and two.", "`“`", 'Use `"` for it.',
                     "Use `“` and “this”.", "<pre>“</pre>")
    ],
    *[
        ("misspelt-name", text)
        for text in ("You read Harbour Notes now.", "Harbour Notes\u2019s readers.",
                     "Harbour Notes' it.", "Harbour Notes's readers.", "The harbor notes are wet.",
                     "Harbour Nights.",
                     "Harbour.", "Harbour Noteskin.", "`Harbor Notes`")
    ],
    ("long-read", "tern " * 4489),
]  # fmt: skip


@pytest.mark.parametrize("edge", [*FIRES, *QUIET])
def test_edges(check_edge: CheckEdge, edge: tuple[str, ...]) -> None:
    check_edge(*edge)


def test_long_read_begins_at_twenty_and_a_half_minutes(get_messages: GetMessages) -> None:
    assert get_messages("long-read", "tern " * 4491) == ["4,511 words take 21 minutes to read"]


@pytest.mark.parametrize(
    ("subject", "rule", "message"),
    [
        ("Hi undefined, the boats are back", "placeholder-text", "'undefined' in the subject is"),
        ("The boats are back, null!", "placeholder-text", "'null' in the subject is"),
        ("[First Name], the boats are back", "placeholder-text", "'[First Name]' in the subject"),
        ("%FIRSTNAME%, the boats are back", "leftover-tag", "%FIRSTNAME% is left in the subject"),
        ("Why null and undefined differ", "placeholder-text", ""),
        ("Null, undefined and NaN", "placeholder-text", ""),
        ("Undefined behaviour", "placeholder-text", ""),
        ("Hi Undefinedland", "placeholder-text", ""),
        ("Types: null or not?", "placeholder-text", ""),
        ("50 % OFF", "leftover-tag", ""),
    ],
)
def test_unfilled_names_in_a_subject(
    get_messages: GetMessages, subject: str, rule: str, message: str
) -> None:
    found = get_messages(rule, front={"subject": subject})
    assert len(found) == bool(message), found
    assert not message or message in found[0]


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ({"subject": "Hello |FNAME|"}, "|FNAME| is left in the subject"),
        ({"preheader": "Hello %%name%%"}, "%%name%% is left in the preheader"),
        ({"subject": "Hello {{ subscriber.name }}"}, ""),
        ({"subject": "A {b} | c", "preheader": "50 % | 60 %"}, ""),
    ],
)
def test_leftover_tag_in_the_settings(
    get_messages: GetMessages, front: Mapping[str, str], message: str
) -> None:
    assert get_messages("leftover-tag", front=front) == ([message] if message else [])


@pytest.mark.parametrize("language", ["es", "pt-BR", "gl", "ca"])
def test_todo_is_a_word_in_some_languages(get_messages: GetMessages, language: str) -> None:
    front = {"language": language}
    assert get_messages("placeholder-text", "TODO bien.", front=front) == []
    assert get_messages("placeholder-text", "Lorem ipsum.", front=front)


@pytest.mark.parametrize("language", ["de", "da-DK", "cs", "sv", "fi", "lv", "is"])
def test_quotation_marks_of_other_languages(get_messages: GetMessages, language: str) -> None:
    assert (
        get_messages("unbalanced-quotes", "Das „Boot“ und “das.", front={"language": language})
        == []
    )


@pytest.mark.parametrize(
    ("name", "body", "count"),
    [
        ("Boats", "You read Boatss now.", 0),  # shorter than six letters: too much is like it
        ("Boatss", "You read Boats now.", 1),
        ("Harbour", "You read Harbor now.", 1),
        ("Harbour", "You read Harbourers now.", 0),
        ("The Harbour Notes", "You read The Harbor Notes now.", 1),
        ("Harbour Notes Weekly", "You read Harbaur Natez Weekly now.", 1),  # three letters of 20
        ("Harbour Notes Weekly", "You read Harbaur Natez Weakly now.", 0),
    ],
)
def test_misspelt_names_of_other_lengths(
    get_messages: GetMessages, name: str, body: str, count: int
) -> None:
    assert len(get_messages("misspelt-name", body, settings={"name": name})) == count


@pytest.mark.parametrize(
    ("text", "shortened"),
    [
        ("the rope is wet", "the rope is wet"),
        ("the rope is wet now", "the rope is …"),
        ("the\nrope  is wet", "the rope is wet"),
        ("the ropes, which are", "the ropes, …"),
        ("ropeandropeandrope", "ropeandropeandr…"),
    ],
)
def test_quote_is_cut_between_words(text: str, shortened: str) -> None:
    assert shorten_quote(text, 15) == shortened
    assert shorten_quote("r" * 51) == f"{'r' * 50}…"


def test_excerpt_of_an_unclosed_quotation_is_its_beginning(make_context: Any) -> None:
    quotation = "“" + "the rope is wet, " * 9
    (finding,) = unbalanced_quotes.find(make_context(f"He said: {quotation}"))
    assert finding.excerpt == quotation[:80]


def test_repeated_article_is_reported_once_with_its_local_day(get_messages: GetMessages) -> None:
    text = " ".join(f"boat{number}" for number in range(200))
    late = datetime.datetime(2026, 11, 15, 23, 30, tzinfo=datetime.UTC)
    earlier = [EarlierEmail(number, f"issue-{number}", late, text) for number in (1, 2)]
    options: dict[str, Any] = {"settings": {"timezone": "Europe/Oslo"}, "earlier_emails": earlier}
    (message,) = get_messages("repeated-article", text, **options)
    assert "is in issue-1 of 16 Nov 2026" in message
    assert (
        get_messages(
            "repeated-article", " ".join(f"tern{number}" for number in range(200)), **options
        )
        == []
    )


@pytest.mark.parametrize(("language", "count"), [("en-GB", 1), ("de", 0), ("tr", 0)])
def test_tk_is_a_placeholder_in_english_only(
    get_messages: GetMessages, language: str, count: int
) -> None:
    messages = get_messages("placeholder-text", "TK pays.", front={"language": language})
    assert len(messages) == count
