"""Map the columns of a file to roles by the names in its header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import get_args

from anyascii import anyascii

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.rows.consent_columns import UNCLEAR_ROLES, find_consent_role
from newsletter.subscribers.importing.rows.date_cell import DateOrder
from newsletter.subscribers.importing.rows.export_formats import (
    NEWSLETTER_FORMAT,
    ROLE_BY_COLUMN_NAME,
    UNKNOWN_FORMAT,
    ExportFormat,
    detect_format,
    normalize_name,
)

# The first two columns of a file of rejected rows.
REJECTED_ROW_COLUMN = "refused_row"
REJECTED_REASON_COLUMN = "refused_because"
# Names that no attribute may have.
_RESERVED_NAMES = frozenset({"email", "name", "token", "status", "unsubscribe", "preferences"})
MAPPABLE = (
    "email", "name", "first_name", "last_name", "status", "tags", "joined_at", "confirmed_at",
    "source", "consent", "confirmation", "opt_out", "opens_consent", "clicks_consent", "ignored",
)  # fmt: skip
_ATTRIBUTE_PREFIX = "attribute:"
_TIME_ROLES = ("joined_at", "confirmed_at", "paused_until")
_ANSWER_ROLES = ("opens_consent", "clicks_consent")
_OWN_EXPORT_ROLES = ("token", "soft_bounces", "opted_out")
_SUPPRESSED_PREFIX = "suppressed:"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The columns of a file by their roles; indices begin at 0.

    Attributes:
        header: the names as in the file; empty if it has no header.
        width: the number of cells in a row.
        address: the column of addresses.
        format: the format of the export.
        names: the columns that make up the name, in order.
        status: the columns with a status.
        consent: the columns that state whether the subscriber may be mailed.
        confirmation: the columns that state whether the subscriber has confirmed.
        opt_out: the columns that state whether the subscriber must not be mailed.
        unclear: attributes that may be about consent: index -> one of ``UNCLEAR_ROLES``.
        suppressed_if_filled: the columns that are filled if the subscriber is suppressed: index ->
            status.
        tags: the columns of tags.
        date_orders: the order of day and month that the dates of a column prove, by index.
        single_columns: the columns of roles that only one column may have: ``joined_at``,
            ``confirmed_at``, ``source``, ``opens_consent``, ``clicks_consent``, and in our own
            export ``token``, ``soft_bounces``, ``paused_until`` and ``opted_out``.
        json: the columns of attributes as a JSON object.
        attributes: all other columns: index -> name of the attribute.
        types: the types of attributes that the header declares: name -> type.
        rejection_notes: the columns that an earlier import added to the rows that it rejected.
    """

    header: tuple[str, ...]
    width: int
    address: int
    format: ExportFormat = UNKNOWN_FORMAT
    names: tuple[int, ...] = ()
    status: tuple[int, ...] = ()
    consent: tuple[int, ...] = ()
    confirmation: tuple[int, ...] = ()
    opt_out: tuple[int, ...] = ()
    unclear: Mapping[int, str] = field(default_factory=dict)
    suppressed_if_filled: Mapping[int, str] = field(default_factory=dict)
    tags: tuple[int, ...] = ()
    date_orders: Mapping[int, DateOrder] = field(default_factory=dict)
    single_columns: Mapping[str, int] = field(default_factory=dict)
    json: tuple[int, ...] = ()
    attributes: Mapping[int, str] = field(default_factory=dict)
    types: Mapping[str, AttributeType] = field(default_factory=dict)
    rejection_notes: tuple[int, ...] = ()

    @property
    def escape_levels(self) -> int:
        """The number of times that formulas in cells were escaped (see ``csv_injection``)."""
        return (self.format is NEWSLETTER_FORMAT) + bool(self.rejection_notes)

    @property
    def date_columns(self) -> tuple[int, ...]:
        """The columns of dates."""
        return tuple(index for role, index in self.single_columns.items() if role in _TIME_ROLES)

    @property
    def consent_columns(self) -> tuple[int, ...]:
        """The columns that state whether the subscriber may be mailed."""
        return (*self.consent, *self.confirmation, *self.opt_out)

    @property
    def status_columns(self) -> tuple[int, ...]:
        """The columns that state or imply a status, in the order of the file."""
        return tuple(
            sorted((
                *self.status, *self.consent, *self.confirmation, *self.opt_out,
                *self.suppressed_if_filled,
            ))
        )  # fmt: skip


def map_columns(cells: Sequence[str], mapping: Mapping[str, str], where: Location) -> ColumnMapping:
    """Determine the columns of a file by its first row.

    Args:
        cells: the first row.
        mapping: the editor's choice: column -> one of ``MAPPABLE`` or the name of an attribute.
        where: the file, for messages.

    Raises:
        SubscriberListError: there is no column of addresses, two columns have the same name, or
            ``mapping`` names a column that doesn't exist.
    """
    if not mapping and len(cells) == 1 and "@" in cells[0]:
        return ColumnMapping((), 1, 0)
    names = [normalize_name(cell) for cell in cells]
    _reject_duplicate_names(cells, names, where)
    export_format = detect_format(names)
    explicit = _explicit_roles(cells, names, mapping, where)
    typed = _typed_attributes(cells) if export_format is NEWSLETTER_FORMAT else {}
    roles = [
        explicit.get(index)
        or (_ATTRIBUTE_PREFIX if index in typed else _find_role(cells[index], export_format))
        for index in range(len(cells))
    ]

    def with_role(*wanted_roles: str) -> tuple[int, ...]:
        return tuple(
            index for wanted in wanted_roles for index, role in enumerate(roles) if role == wanted
        )

    address = _find_address_column(
        cells, with_role("email"), with_role("subscriber"), set(explicit), where
    )
    # Of several columns with one of these roles, the first one counts; others are attributes.
    single_columns = {
        role: index
        for role in (*_TIME_ROLES, "source", *_OWN_EXPORT_ROLES, *_ANSWER_ROLES)
        for index in with_role(role)[:1]
    }
    suppressed_if_filled = {
        index: role.removeprefix(_SUPPRESSED_PREFIX)
        for index, role in enumerate(roles)
        if _SUPPRESSED_PREFIX in role
    } | dict.fromkeys(with_role("left_reason"), "unsubscribed")
    full_name = with_role("name")[:1]
    status, consent, opt_out = with_role("status"), with_role("consent"), with_role("opt_out")
    confirmation, left_reasons = with_role("confirmation"), with_role("left_reason")
    tags, json = with_role("tags"), with_role("json")
    not_attributes = {
        address, *full_name, *status, *consent, *confirmation, *opt_out,
        *(suppressed_if_filled.keys() - set(left_reasons)), *tags, *json,
        *single_columns.values(), *with_role("ignored", "rejection_note"),
    }  # fmt: skip
    attributes = {
        index: typed[index][0]
        if index in typed
        else make_attribute_key(
            roles[index].removeprefix(_ATTRIBUTE_PREFIX) if index in explicit else name, index
        )
        for index, name in enumerate(cells)
        if index not in not_attributes
    }
    _reject_duplicate_names(
        cells, [attributes.get(index, "") for index in range(len(cells))], where
    )
    return ColumnMapping(
        header=tuple(cells),
        width=len(cells),
        address=address,
        format=export_format,
        # First and last name are attributes too: "Dear Ada" needs only the first name.
        names=full_name or with_role("first_name", "last_name"),
        status=status,
        consent=consent,
        confirmation=confirmation,
        opt_out=opt_out,
        unclear={index: roles[index] for index in attributes if roles[index] in UNCLEAR_ROLES},
        suppressed_if_filled=suppressed_if_filled,
        tags=tags,
        single_columns=single_columns,
        json=json,
        attributes=attributes,
        types=dict(typed.values()),
        rejection_notes=with_role("rejection_note"),
    )


def make_attribute_key(name: str, index: int) -> str:
    """Return an attribute's name for merge tags: ``Home town`` becomes ``home_town``.

    Args:
        name: the name of the column.
        index: the index of the column, to make empty and reserved names unique.
    """
    key = re.sub(r"[^a-z0-9]+", "_", anyascii(name).lower()).strip("_")
    if not key:
        return f"column_{index + 1}"
    if key[0].isdigit():
        key = f"column_{key}"
    return f"{key}_{index + 1}" if key in _RESERVED_NAMES else key


def _find_role(cell: str, export_format: ExportFormat) -> str:
    """Return the role of a column by its name in the header; ``""`` for an attribute."""
    name = normalize_name(cell)
    if name in export_format.columns:
        return export_format.columns[name]
    if name in ROLE_BY_COLUMN_NAME:
        return ROLE_BY_COLUMN_NAME[name]
    return "" if export_format is NEWSLETTER_FORMAT else find_consent_role(cell)


def _typed_attributes(cells: Sequence[str]) -> dict[int, tuple[str, AttributeType]]:
    """Return the attributes of our own export, whose columns are named ``NAME:TYPE``."""
    typed: dict[int, tuple[str, AttributeType]] = {}
    for index, cell in enumerate(cells):
        name, _, suffix = cell.rpartition(":")
        for type_ in get_args(AttributeType):
            if name.isidentifier() and suffix == type_:
                typed[index] = name, type_
    return typed


def _explicit_roles(
    cells: Sequence[str], names: Sequence[str], mapping: Mapping[str, str], where: Location
) -> dict[int, str]:
    roles = {}
    for column, target in mapping.items():
        if normalize_name(column) not in names:
            near = get_close_matches(column, cells, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(cells)}."
            raise SubscriberListError(f"there is no column '{column}'", where=where, remedy=hint)
        role = target if target in MAPPABLE else f"{_ATTRIBUTE_PREFIX}{target}"
        roles[names.index(normalize_name(column))] = role
    return roles


def _find_address_column(
    cells: Sequence[str],
    found: tuple[int, ...],
    fallback: tuple[int, ...],
    explicit: set[int],
    where: Location,
) -> int:
    """Return the only column of addresses; the editor's mapping takes precedence over names."""
    found = tuple(index for index in found if index in explicit) or found or fallback
    if len(found) == 1:
        return found[0]
    if found:
        candidates = " and ".join(f"'{cells[index]}'" for index in found)
        raise SubscriberListError(
            f"more than one column could be the email address: {candidates}",
            where=where,
            remedy=f"Choose one: --map '{cells[found[0]]}=email'",
        )
    if any("@" in cell for cell in cells):
        raise SubscriberListError(
            "the first row is not a header",
            where=where,
            remedy="Add a header like 'email,name' at the top.",
        )
    raise SubscriberListError(
        f"no column of email addresses found; the columns are: {', '.join(cells)}",
        where=where,
        remedy="Choose one: --map 'COLUMN=email'",
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
