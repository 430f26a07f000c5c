"""Find the addresses of the list that a mistyped one may stand for."""

import sqlalchemy as sa

from newsletter.db.bulk import column_in
from newsletter.db.schema import subscriber

MAX_FOUND = 3
_MAX_DISTANCE = 2
_MAX_SHORT_DISTANCE = 1
_SHORT_LENGTH = 5  # characters of a local part, of which two are nearly half
_NEIGHBOURS = 200
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-_+@"


def find_near_addresses(connection: sa.Connection, key: str) -> list[str]:
    """Return the nearest addresses of the list, at most three, if they are a typo or two away.

    Looked up by the index of keys are all that are one typo away, and the key's neighbours in the
    index: those with the same beginning, as another domain or a typo at the end makes them. So it
    takes as long for a list of a million as for one of a hundred.

    Args:
        connection: in a transaction.
        key: the key of an address that is not in the list.
    """
    column = subscriber.c.address_key
    query = sa.select(column, subscriber.c.address)
    candidates = [
        *connection.execute(query.where(column_in(connection, column, _make_typos(key)))),
        *connection.execute(query.where(column > key).order_by(column).limit(_NEIGHBOURS)),
        *connection.execute(query.where(column < key).order_by(column.desc()).limit(_NEIGHBOURS)),
    ]
    near = {
        address: distance
        for found_key, address in candidates
        if (distance := _measure_distance(key, found_key)) is not None
    }
    nearest = min(near.values(), default=0)
    return sorted(address for address, distance in near.items() if distance == nearest)[:MAX_FOUND]


def _make_typos(key: str) -> set[str]:
    """Return the keys with one letter missing, added, wrong, or swapped with the next one."""
    halves = [(key[:index], key[index:]) for index in range(len(key) + 1)]
    return {
        typo
        for left, right in halves
        for typo in (
            left + right[1:],
            left + right[1:2] + right[:1] + right[2:],
            *(left + letter + right[1:] for letter in _LETTERS),
            *(left + letter + right for letter in _LETTERS),
        )
    }


def _measure_distance(key: str, other: str) -> int | None:
    """Return how many typos two keys are apart; ``None`` if they are not near.

    The same local part is near at any domain: people change their provider.
    """
    local, _, domain = key.rpartition("@")
    other_local, _, other_domain = other.rpartition("@")
    distance = count_typos(local, other_local)
    if distance == 0 and len(local) > _SHORT_LENGTH:
        return min(count_typos(domain, other_domain), _MAX_DISTANCE + 1)
    limit = _MAX_DISTANCE if len(local) > _SHORT_LENGTH else _MAX_SHORT_DISTANCE
    total = distance + count_typos(domain, other_domain)
    return total if distance <= limit and total <= _MAX_DISTANCE else None


def count_typos(text: str, other: str) -> int:
    """Return the number of letters to add, remove, change or swap (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for index, letter in enumerate(text, start=1):
        before, last, row = row, before, [index]
        for column, other_letter in enumerate(other, start=1):
            cost = min(
                before[column] + 1,
                row[-1] + 1,
                before[column - 1] + (letter != other_letter),
            )
            is_swap = text[index - 2 : index] == other[column - 2 : column][::-1]
            if index > 1 and column > 1 and is_swap:
                cost = min(cost, last[column - 2] + 1)
            row.append(cost)
    return row[-1]
