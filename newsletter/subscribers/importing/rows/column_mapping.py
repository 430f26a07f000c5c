"""Map columns to address, name, status and attributes.

By the names in the first row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import get_args

from anyascii import anyascii

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.rows.export_formats import (
    NEWSLETTER_FORMAT,
    ROLE_BY_COLUMN_NAME,
    UNKNOWN_FORMAT,
    ExportFormat,
    detect_format,
    normalize_name,
)

# What the file of refused rows adds in front.
REJECTED_ROW_COLUMN = "refused_row"
REJECTED_REASON_COLUMN = "refused_because"
# Words of ours that no attribute may take.
_RESERVED_NAMES = frozenset({"email", "name", "token", "status", "unsubscribe", "preferences"})
MAPPABLE = (
    "email", "name", "first_name", "last_name", "status", "tags", "joined_at", "confirmed_at",
    "source", "ignored",
)  # fmt: skip
_ATTRIBUTE_PREFIX = "attribute:"
_TIME_ROLES = ("joined_at", "confirmed_at", "paused_until")
_SUPPRESSED_PREFIX = "left:"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where in a row each thing is; indices from 0.

    Attributes:
        header: the names as they stand in the file; empty if its first row is a reader already.
        width: how many cells a row has.
        address: the column of addresses.
        format: whose export it is.
        names: the columns that make up the name, in order.
        status: the columns that hold a word for the status.
        consent: the columns that say yes or no to being mailed.
        opt_out: the columns that say yes to not being mailed.
        suppressed_if_filled: the columns that are filled if the reader has left: index -> status.
        tags: the columns of tags.
        single_columns: of the things that only one column may hold, where they are: ``joined_at``,
            ``confirmed_at``, ``source``, and in our own export ``token``, ``soft_bounces`` and
            ``paused_until``.
        json: the columns of attributes as a JSON object.
        attributes: every other column: index -> key.
        types: the types of attributes, where the header tells: key -> type.
        rejection_notes: the columns that an earlier import put in front of a row that it refused.
    """

    header: tuple[str, ...]
    width: int
    address: int
    format: ExportFormat = UNKNOWN_FORMAT
    names: tuple[int, ...] = ()
    status: tuple[int, ...] = ()
    consent: tuple[int, ...] = ()
    opt_out: tuple[int, ...] = ()
    suppressed_if_filled: Mapping[int, str] = field(default_factory=dict)
    tags: tuple[int, ...] = ()
    single_columns: Mapping[str, int] = field(default_factory=dict)
    json: tuple[int, ...] = ()
    attributes: Mapping[int, str] = field(default_factory=dict)
    types: Mapping[str, AttributeType] = field(default_factory=dict)
    rejection_notes: tuple[int, ...] = ()

    @property
    def escape_levels(self) -> int:
        """How many times an apostrophe was put before what a spreadsheet would run."""
        return (self.format is NEWSLETTER_FORMAT) + bool(self.rejection_notes)


def map_columns(cells: Sequence[str], mapping: Mapping[str, str], where: Location) -> ColumnMapping:
    """Tell the columns of a file by its first row.

    Args:
        cells: the first row.
        mapping: column -> one of ``MAPPABLE`` or an attribute, where the editor says so.
        where: the file, for messages.

    Raises:
        ListError: no column of addresses, two alike, or ``mapping`` names none that is there.
    """
    if not mapping and len(cells) == 1 and "@" in cells[0]:
        return ColumnMapping((), 1, 0)
    names = [normalize_name(cell) for cell in cells]
    _reject_duplicate_names(cells, names, where)
    known = detect_format(names)
    said = _explicit_roles(cells, names, mapping, where)
    typed = _typed_attributes(cells) if known is NEWSLETTER_FORMAT else {}
    roles = [
        said.get(index) or (_ATTRIBUTE_PREFIX if index in typed else _find_role(name, known))
        for index, name in enumerate(names)
    ]

    def having(*wanted: str) -> tuple[int, ...]:
        return tuple(index for role in wanted for index, has in enumerate(roles) if has == role)

    address = _find_address_column(cells, having("email"), having("subscriber"), set(said), where)
    # Of two columns for one thing, the first; the others are attributes.
    single = {
        role: index
        for role in (*_TIME_ROLES, "source", "token", "soft_bounces")
        for index in having(role)[:1]
    }
    left = {
        index: role.removeprefix(_SUPPRESSED_PREFIX)
        for index, role in enumerate(roles)
        if _SUPPRESSED_PREFIX in role
    }
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
        else make_attribute_key(
            roles[index].removeprefix(_ATTRIBUTE_PREFIX) if index in said else name, index
        )
        for index, name in enumerate(cells)
        if index not in taken
    }
    _reject_duplicate_names(
        cells, [attributes.get(index, "") for index in range(len(cells))], where
    )
    return ColumnMapping(
        header=tuple(cells),
        width=len(cells),
        address=address,
        format=known,
        # Parts of a name are attributes too: "Dear Ada" needs the first alone.
        names=whole_name or having("first_name", "last_name"),
        status=status,
        consent=consent,
        opt_out=refusal,
        suppressed_if_filled=left,
        tags=tags,
        single_columns=single,
        json=json,
        attributes=attributes,
        types=dict(typed.values()),
        rejection_notes=having("refusal note"),
    )


def make_attribute_key(name: str, index: int) -> str:
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
    return f"{key}_{index + 1}" if key in _RESERVED_NAMES else key


def _find_role(name: str, known: ExportFormat) -> str:
    """What a column of this name holds; ``""`` for an attribute."""
    return known.columns[name] if name in known.columns else ROLE_BY_COLUMN_NAME.get(name, "")


def _typed_attributes(cells: Sequence[str]) -> dict[int, tuple[str, AttributeType]]:
    """The attributes of our own export, whose columns are named ``KEY:TYPE``."""
    found: dict[int, tuple[str, AttributeType]] = {}
    for index, cell in enumerate(cells):
        key, _, last = cell.rpartition(":")
        for kind in get_args(AttributeType):
            if key and last == kind:
                found[index] = key, kind
    return found


def _explicit_roles(
    cells: Sequence[str], names: Sequence[str], mapping: Mapping[str, str], where: Location
) -> dict[int, str]:
    said = {}
    for column, role in mapping.items():
        if normalize_name(column) not in names:
            near = get_close_matches(column, cells, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(cells)}."
            raise SubscriberListError(f"there is no column '{column}'", where=where, remedy=hint)
        known = role if role in MAPPABLE else f"{_ATTRIBUTE_PREFIX}{role}"
        said[names.index(normalize_name(column))] = known
    return said


def _find_address_column(
    cells: Sequence[str],
    found: tuple[int, ...],
    fallback: tuple[int, ...],
    explicit: set[int],
    where: Location,
) -> int:
    """The one column of addresses; the editor's word is above the names."""
    found = tuple(index for index in found if index in explicit) or found or fallback
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


def _reject_duplicate_names(cells: Sequence[str], keys: Sequence[str], where: Location) -> None:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key and first.setdefault(key, index) != index:
            raise SubscriberListError(
                f"columns {first[key] + 1} and {index + 1} have the same name: "
                f"'{cells[first[key]]}' and '{cells[index]}'",
                where=where,
                remedy="Rename one of them in the file's first row.",
            )
