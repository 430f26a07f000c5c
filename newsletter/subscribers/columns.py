"""Which column of a list's file holds what, told by the names in its first row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from anyascii import anyascii

from newsletter.errors import ListError, Location

# Role -> names as exports of newsletter services and spreadsheets write them, ``_folded``.
_NAMED = {
    "email": {"email", "email address", "e mail", "e mail address", "mail", "subscriber email"},
    "subscriber": {"subscriber"},  # of addresses, if no other column is
    "name": {"name", "full name", "subscriber name"},
    "first_name": {"first name", "firstname", "fname", "given name"},
    "last_name": {"last name", "lastname", "lname", "surname", "family name"},
    "status": {"status", "subscriber status", "subscription status", "email status"},
    "consent": {"subscribed", "is subscribed", "subscribed to emails", "opted in", "opt in"},
}
_LEFT = {
    "unsubscribed": "unsubscribed", "unsubscribed at": "unsubscribed",
    "unsubscribed on": "unsubscribed", "unsubscribe date": "unsubscribed",
    "unsub time": "unsubscribed", "bounced": "bounced", "bounced at": "bounced",
    "cleaned": "bounced", "clean time": "bounced", "complained": "complained",
    "complained at": "complained",
}  # fmt: skip
_NAMED["left"] = set(_LEFT)
_ATTRIBUTE = "attribute:"
# What the file of refused rows adds in front.
REFUSED_ROW = "refused_row"
REFUSED_BECAUSE = "refused_because"
# Words of ours that no attribute may take.
_RESERVED = frozenset({"email", "name", "token", "status", "unsubscribe", "preferences"})
MAPPABLE = ("email", "name", "first_name", "last_name", "status")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing is; indices from 0.

    Attributes:
        header: the names as they stand in the file; empty if its first row is a reader already.
        width: how many cells a row has.
        address: the column of addresses.
        names: the columns that make up the name, in order.
        status: the columns that hold a word for the status.
        consent: the columns that say yes or no to being mailed.
        left: the columns that are filled if the reader has left: index -> status.
        attributes: every other column: index -> key.
    """

    header: tuple[str, ...]
    width: int
    address: int
    names: tuple[int, ...] = ()
    status: tuple[int, ...] = ()
    consent: tuple[int, ...] = ()
    left: Mapping[int, str] = field(default_factory=dict)
    attributes: Mapping[int, str] = field(default_factory=dict)


def read_header(cells: Sequence[str], mapping: Mapping[str, str], where: Location) -> Columns:
    """Tell the columns of a file by its first row.

    Args:
        cells: the first row.
        mapping: column -> ``email``, ``name``, ``first_name``, ``last_name``, ``status`` or an
            attribute, where the editor says so.
        where: the file, for messages.

    Raises:
        ListError: no column of addresses, two alike, or ``mapping`` names none that is there.
    """
    if not mapping and len(cells) == 1 and "@" in cells[0]:
        return Columns((), 1, 0)
    folded = [_folded(cell) for cell in cells]
    _refuse_alike(cells, folded, where)
    said = _said(cells, folded, mapping, where)
    roles = [said.get(index) or _role(name) for index, name in enumerate(folded)]

    def having(*wanted: str) -> tuple[int, ...]:
        return tuple(index for role in wanted for index, has in enumerate(roles) if has == role)

    address = _address(cells, having("email"), having("subscriber"), set(said), where)
    whole_name = having("name")[:1]
    status, consent, left = having("status"), having("consent"), having("left")
    taken = {address, *whole_name, *status, *consent, *left, *having("ignored")}
    attributes = {
        index: _key(roles[index].removeprefix(_ATTRIBUTE) if index in said else name, index)
        for index, name in enumerate(cells)
        if index not in taken
    }
    _refuse_alike(cells, [attributes.get(index, "") for index in range(len(cells))], where)
    return Columns(
        header=tuple(cells),
        width=len(cells),
        address=address,
        # Parts of a name are attributes too: "Dear Ada" needs the first alone.
        names=whole_name or having("first_name", "last_name"),
        status=status,
        consent=consent,
        left={index: _LEFT[folded[index]] for index in left},
        attributes=attributes,
    )


def _role(name: str) -> str:
    """What a column of this name holds; ``""`` for an attribute."""
    if name in {_folded(REFUSED_ROW), _folded(REFUSED_BECAUSE)}:
        return "ignored"
    return next((role for role, names in _NAMED.items() if name in names), "")


def _said(
    cells: Sequence[str], folded: Sequence[str], mapping: Mapping[str, str], where: Location
) -> dict[int, str]:
    said = {}
    for column, role in mapping.items():
        if _folded(column) not in folded:
            near = get_close_matches(column, cells, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(cells)}."
            raise ListError(f"there is no column '{column}'", where=where, remedy=hint)
        known = role if role in MAPPABLE else f"{_ATTRIBUTE}{role}"
        said[folded.index(_folded(column))] = known
    return said


def _address(
    cells: Sequence[str],
    found: tuple[int, ...],
    fallback: tuple[int, ...],
    said: set[int],
    where: Location,
) -> int:
    """The one column of addresses; the editor's word is above the names."""
    found = tuple(index for index in found if index in said) or found or fallback
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(f"'{cells[index]}'" for index in found)
        raise ListError(
            f"the columns {both} may both hold the address",
            where=where,
            remedy=f"Say which it is: --map '{cells[found[0]]}=email'",
        )
    if any("@" in cell for cell in cells):
        raise ListError(
            "the first row does not name the columns",
            where=where,
            remedy="Put a row like 'email,name' above the others.",
        )
    raise ListError(
        f"no column is named like an address; there are: {', '.join(cells)}",
        where=where,
        remedy="Say which it is: --map 'COLUMN=email'",
    )


def _refuse_alike(cells: Sequence[str], keys: Sequence[str], where: Location) -> None:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key and first.setdefault(key, index) != index:
            raise ListError(
                f"columns {first[key] + 1} and {index + 1} have the same name: "
                f"'{cells[first[key]]}' and '{cells[index]}'",
                where=where,
                remedy="Rename one of them in the file's first row.",
            )


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def _key(name: str, index: int) -> str:
    """An attribute's key, as merge tags name it: ``Home town`` is ``home_town``."""
    key = re.sub(r"[^a-z0-9]+", "_", anyascii(name).lower()).strip("_")
    if not key:
        return f"column_{index + 1}"
    if key[0].isdigit():
        key = f"column_{key}"
    return f"{key}_{index + 1}" if key in _RESERVED else key
