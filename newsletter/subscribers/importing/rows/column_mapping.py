"""Which column of a list's file holds what, told by the names in its first row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import get_args

from anyascii import anyascii

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import Type
from newsletter.subscribers.importing.rows.export_formats import (
    OWN,
    PLAIN,
    ROLES,
    Format,
    folded,
    recognise,
)

# What the file of refused rows adds in front.
REFUSED_ROW = "refused_row"
REFUSED_BECAUSE = "refused_because"
# Words of ours that no attribute may take.
_RESERVED = frozenset({"email", "name", "token", "status", "unsubscribe", "preferences"})
MAPPABLE = (
    "email", "name", "first_name", "last_name", "status", "tags", "joined_at", "confirmed_at",
    "source", "ignored",
)  # fmt: skip
_ATTRIBUTE = "attribute:"
_TIMES = ("joined_at", "confirmed_at", "paused_until")
_LEFT = "left:"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing is; indices from 0.

    Attributes:
        header: the names as they stand in the file; empty if its first row is a reader already.
        width: how many cells a row has.
        address: the column of addresses.
        format: whose export it is.
        names: the columns that make up the name, in order.
        status: the columns that hold a word for the status.
        consent: the columns that say yes or no to being mailed.
        refusal: the columns that say yes to not being mailed.
        left: the columns that are filled if the reader has left: index -> status.
        tags: the columns of tags.
        single: of the things that only one column may hold, where they are: ``joined_at``,
            ``confirmed_at``, ``source``, and in our own export ``token``, ``soft_bounces`` and
            ``paused_until``.
        json: the columns of attributes as a JSON object.
        attributes: every other column: index -> key.
        types: the types of attributes, where the header tells: key -> type.
        refusals: the columns that an earlier import put in front of a row that it refused.
    """

    header: tuple[str, ...]
    width: int
    address: int
    format: Format = PLAIN
    names: tuple[int, ...] = ()
    status: tuple[int, ...] = ()
    consent: tuple[int, ...] = ()
    refusal: tuple[int, ...] = ()
    left: Mapping[int, str] = field(default_factory=dict)
    tags: tuple[int, ...] = ()
    single: Mapping[str, int] = field(default_factory=dict)
    json: tuple[int, ...] = ()
    attributes: Mapping[int, str] = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()

    @property
    def neutralised(self) -> int:
        """How many times an apostrophe was put before what a spreadsheet would run."""
        return (self.format is OWN) + bool(self.refusals)


def read_header(cells: Sequence[str], mapping: Mapping[str, str], where: Location) -> Columns:
    """Tell the columns of a file by its first row.

    Args:
        cells: the first row.
        mapping: column -> one of ``MAPPABLE`` or an attribute, where the editor says so.
        where: the file, for messages.

    Raises:
        ListError: no column of addresses, two alike, or ``mapping`` names none that is there.
    """
    if not mapping and len(cells) == 1 and "@" in cells[0]:
        return Columns((), 1, 0)
    names = [folded(cell) for cell in cells]
    _refuse_alike(cells, names, where)
    known = recognise(names)
    said = _said(cells, names, mapping, where)
    typed = _typed(cells) if known is OWN else {}
    roles = [
        said.get(index) or (_ATTRIBUTE if index in typed else _role(name, known))
        for index, name in enumerate(names)
    ]

    def having(*wanted: str) -> tuple[int, ...]:
        return tuple(index for role in wanted for index, has in enumerate(roles) if has == role)

    address = _address(cells, having("email"), having("subscriber"), set(said), where)
    # Of two columns for one thing, the first; the others are attributes.
    single = {
        role: index
        for role in (*_TIMES, "source", "token", "soft_bounces")
        for index in having(role)[:1]
    }
    left = {index: role.removeprefix(_LEFT) for index, role in enumerate(roles) if _LEFT in role}
    whole_name = having("name")[:1]
    status, consent, refusal = having("status"), having("consent"), having("refusal")
    tags, json = having("tags"), having("json")
    taken = {
        address, *whole_name, *status, *consent, *refusal, *left, *tags, *json,
        *single.values(), *having("ignored", "refusal note"),
    }  # fmt: skip
    attributes = {
        index: typed[index][0]
        if index in typed
        else key_of(roles[index].removeprefix(_ATTRIBUTE) if index in said else name, index)
        for index, name in enumerate(cells)
        if index not in taken
    }
    _refuse_alike(cells, [attributes.get(index, "") for index in range(len(cells))], where)
    return Columns(
        header=tuple(cells),
        width=len(cells),
        address=address,
        format=known,
        # Parts of a name are attributes too: "Dear Ada" needs the first alone.
        names=whole_name or having("first_name", "last_name"),
        status=status,
        consent=consent,
        refusal=refusal,
        left=left,
        tags=tags,
        single=single,
        json=json,
        attributes=attributes,
        types=dict(typed.values()),
        refusals=having("refusal note"),
    )


def key_of(name: str, index: int) -> str:
    """An attribute's key, as merge tags name it: ``Home town`` is ``home_town``.

    Args:
        name: as the file has it.
        index: of the column, to tell apart what has no name or one of ours.
    """
    key = re.sub(r"[^a-z0-9]+", "_", anyascii(name).lower()).strip("_")
    if not key:
        return f"column_{index + 1}"
    if key[0].isdigit():
        key = f"column_{key}"
    return f"{key}_{index + 1}" if key in _RESERVED else key


def _role(name: str, known: Format) -> str:
    """What a column of this name holds; ``""`` for an attribute."""
    return known.columns[name] if name in known.columns else ROLES.get(name, "")


def _typed(cells: Sequence[str]) -> dict[int, tuple[str, Type]]:
    """The attributes of our own export, whose columns are named ``KEY:TYPE``."""
    found: dict[int, tuple[str, Type]] = {}
    for index, cell in enumerate(cells):
        key, _, last = cell.rpartition(":")
        for kind in get_args(Type):
            if key and last == kind:
                found[index] = key, kind
    return found


def _said(
    cells: Sequence[str], names: Sequence[str], mapping: Mapping[str, str], where: Location
) -> dict[int, str]:
    said = {}
    for column, role in mapping.items():
        if folded(column) not in names:
            near = get_close_matches(column, cells, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(cells)}."
            raise SubscriberListError(f"there is no column '{column}'", where=where, remedy=hint)
        known = role if role in MAPPABLE else f"{_ATTRIBUTE}{role}"
        said[names.index(folded(column))] = known
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
        raise SubscriberListError(
            f"the columns {both} may both hold the address",
            where=where,
            remedy=f"Say which it is: --map '{cells[found[0]]}=email'",
        )
    if any("@" in cell for cell in cells):
        raise SubscriberListError(
            "the first row does not name the columns",
            where=where,
            remedy="Put a row like 'email,name' above the others.",
        )
    raise SubscriberListError(
        f"no column is named like an address; there are: {', '.join(cells)}",
        where=where,
        remedy="Say which it is: --map 'COLUMN=email'",
    )


def _refuse_alike(cells: Sequence[str], keys: Sequence[str], where: Location) -> None:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key and first.setdefault(key, index) != index:
            raise SubscriberListError(
                f"columns {first[key] + 1} and {index + 1} have the same name: "
                f"'{cells[first[key]]}' and '{cells[index]}'",
                where=where,
                remedy="Rename one of them in the file's first row.",
            )
