"""Parse the status that a row states: status words, consent, opt-out.

Pure functions. Whatever is not understood never makes a subscriber active.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import FALSE_WORDS, TRUE_WORDS
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping
from newsletter.subscribers.importing.rows.date_cell import has_two_meanings, parse_date_cell
from newsletter.subscribers.importing.rows.export_formats import STATUS_WORDS, normalize_name

# If the columns of a row state different statuses, the one that is later in this tuple counts.
STATUS_PRECEDENCE = ("active", "pending", "bounced", "unsubscribed", "complained")

# Yes and no in the languages of the public pages, and as spreadsheets write them.
_YES_WORDS = TRUE_WORDS | frozenset({
    "on", "given", "granted", "agreed", "accepted", "allowed", "ok", "ja", "oui", "s\xed", "si",
    "s\xec", "\u2713", "\u2714", "\u2611", "\u2705", "wahr", "vrai", "verdadero", "vero", "sann",
    "waar",
})  # fmt: skip
_NO_WORDS = FALSE_WORDS | frozenset({
    "off", "never", "refused", "declined", "denied", "rejected", "revoked", "withdrawn", "nein",
    "nie", "non", "nei", "nee", "aldri", "\u2717", "\u2718", "\u2610", "\u274c", "falsch", "faux",
    "falso", "usann", "onwaar",
})  # fmt: skip
# In a column of those who don't want emails, these could mean either.
_DECISIONS = frozenset({
    "given", "granted", "agreed", "accepted", "allowed", "ok", "refused", "declined", "denied",
    "rejected", "revoked", "withdrawn",
})  # fmt: skip
_EMPTY_WORDS = frozenset({"", "null", "\\n", "none", "nil", "nan", "n/a", "na", "-", "--"})
_ZERO_DATE = re.compile(r"0000[-/]00[-/]00(?:[T ][0:.]+Z?)?")
# Words that mean the same in a column of those who don't want emails as in a column of statuses.
_LEFT_WORDS = frozenset(
    word
    for word, status in STATUS_WORDS.items()
    if status in {"unsubscribed", "bounced", "complained"}
    and word not in {"inactive", "disabled", "invalid"}
)
_BLANKS = " \t\r\n\xa0\u200b\u200c\u200d\u2060\ufeff"


def parse_row_status(cells: Sequence[str], columns: ColumnMapping, file_status: str) -> str:
    """Return the most cautious status that the file and the row's cells state.

    A cell that can't be understood rejects the row, unless another one says that they have left.

    Args:
        cells: the row.
        columns: the columns of the file.
        file_status: the status implied by the file; a row can only state a more cautious one.

    Raises:
        SubscriberListError: the consent is missing or can't be understood.
    """
    if not (
        columns.status
        or columns.consent
        or columns.confirmation
        or columns.opt_out
        or columns.suppressed_if_filled
        or columns.unclear
    ):
        return file_status
    statuses = [file_status]
    problems: list[SubscriberListError] = []

    def add_all(indices: Iterable[int], parse: Callable[[str, str], str]) -> None:
        for index in indices:
            try:
                statuses.append(parse(cells[index], columns.header[index]))
            except SubscriberListError as error:
                problems.append(error)

    def parse_status_word(cell: str, _: str) -> str:
        word = normalize_name(cell)
        status = columns.format.statuses.get(word) or STATUS_WORDS.get(word)
        if status is None:
            raise SubscriberListError(f"'{cell[:60]}' is not a known status")
        return status

    add_all(columns.status, parse_status_word)
    add_all(columns.consent, _parse_consent)
    add_all(columns.confirmation, _parse_confirmation)
    add_all(columns.opt_out, _parse_opt_out)
    statuses += [
        status for index, status in columns.suppressed_if_filled.items() if _is_filled(cells[index])
    ]
    for index, role in columns.unclear.items():
        add_all([index], partial(_parse_unclear, role=role))
    most_cautious = max(statuses, key=STATUS_PRECEDENCE.index)
    if problems and most_cautious in {"active", "pending"}:
        raise problems[0]
    return most_cautious


def parse_answer_cell(cell: str, column: str) -> bool | None:
    """Return whether a cell says yes or no; ``None`` if it is empty.

    Raises:
        SubscriberListError: the cell is neither yes nor no.
    """
    answer = _parse_answer(cell)
    if answer not in {"yes", "no", "empty"} or _is_date(cell):
        raise _unknown_error(cell, column)
    return {"yes": True, "no": False}.get(str(answer))


def _parse_consent(cell: str, column: str) -> str:
    """Return the status by a column of consents: yes, no, a date of the consent, or a status.

    Raises:
        SubscriberListError: the cell is empty, or is nothing of these.
    """
    answer = _parse_answer(cell)
    if answer is None:
        raise _unknown_error(cell, column)
    if answer == "empty":
        raise SubscriberListError(f"no consent is stated: the column {column} is empty")
    return {"yes": "active", "no": "unsubscribed"}.get(answer, answer)


def _parse_confirmation(cell: str, column: str) -> str:
    """Return the status by a column of confirmations: ``pending`` if it isn't confirmed.

    Raises:
        SubscriberListError: the cell is neither yes nor no, a date or a status.
    """
    answer = _parse_answer(cell)
    if answer is None:
        raise _unknown_error(cell, column)
    return {"yes": "active", "no": "pending", "empty": "pending"}.get(answer, answer)


def _parse_opt_out(cell: str, column: str) -> str:
    """Return the status by a column of those who don't want emails: yes, or the date, if they left.

    Raises:
        SubscriberListError: the cell is neither yes nor no, a date or a word for having left.
    """
    word = normalize_name(cell)
    if word in {"subscribed", "opted in"}:
        return "active"
    answer = "yes" if cell.strip(_BLANKS).casefold() == "x" else _parse_answer(cell)
    if answer in {"yes", "no", "empty"} and word not in _DECISIONS:
        return "unsubscribed" if answer == "yes" else "active"
    if word not in _LEFT_WORDS:
        raise _unknown_error(cell, column)
    return STATUS_WORDS[word]


def _is_filled(cell: str) -> bool:
    """Return whether a cell holds a date or a text; "no" and words for nothing don't count."""
    return _parse_answer(cell) not in {"empty", "no"}


def _parse_unclear(cell: str, column: str, role: str) -> str:
    """Return ``active``, unless an unclear column says that they don't want emails.

    Raises:
        SubscriberListError: the cell says no; or yes, if the column is about leaving.
    """
    answer = _parse_answer(cell)
    is_refusal = answer == "yes" if role == "unclear:opt_out" else answer == "no"
    is_refusal |= answer in STATUS_PRECEDENCE and answer != "active"
    if role != "unclear:other" and is_refusal:
        target = role.removeprefix("unclear:")
        raise SubscriberListError(
            f"'{cell[:60]}' in the column {column} may mean that they don't want emails; "
            f"say what it is: --map '{column}={target}' or --map '{column}=ignored'"
        )
    return "active"


def _parse_answer(cell: str) -> str | None:
    """Return ``yes``, ``no``, ``empty`` or a status; ``None`` if a cell is nothing of these."""
    word = cell.strip(_BLANKS).casefold()
    if word in _EMPTY_WORDS or _ZERO_DATE.fullmatch(word):
        return "empty"
    if word in _YES_WORDS:
        return "yes"
    if word in _NO_WORDS:
        return "no"
    status = STATUS_WORDS.get(normalize_name(word))
    if status:
        return status
    return "yes" if _is_date(word) else None


def _is_date(text: str) -> bool:
    if has_two_meanings(text):
        return True  # whichever of the two it is, there is a date
    try:
        parse_date_cell(text.upper())
    except SubscriberListError:
        return False
    return True


def _unknown_error(cell: str, column: str) -> SubscriberListError:
    return SubscriberListError(f"'{cell[:60]}' is neither yes nor no, in the column {column}")
