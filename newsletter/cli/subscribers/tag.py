"""``newsletter subscribers tag`` and ``untag``: add or remove a tag."""

import datetime
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.errors import UsageError
from newsletter.wording import format_count, format_suggestion

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.subscribers.tags import AddressFileRow

CHUNK_SIZE = 5_000
MAX_REMARKS_SHOWN = 10

_SELECTION_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--address", "addresses", multiple=True, metavar="ADDRESS", help="This reader."),
    click.option(
        "--file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The readers of a file: one address per line, or CSV with a column of addresses.",
    ),
    click.option("--query", metavar="NAME|QUERY", help="The readers of a segment."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
)


def _add_selection_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(_SELECTION_OPTIONS):
        command = option(command)
    return command


@click.command("tag", short_help="Add a tag to readers.")
@click.argument("tag")
@_add_selection_options
def tag_command(
    tag: str, *, addresses: tuple[str, ...], file: Path | None, query: str | None, as_json: bool
) -> int:
    """Add TAG to readers, chosen by address, file or query.

    It adds nobody to the list; the exit code is 1 if an address isn't in the list.

    \b
    Examples:
      newsletter subscribers tag vip --address ada@example.com
      newsletter subscribers tag quiet --query 'not opened:last-10'
    """
    return _change_tag(tag, addresses, file, query, adding=True, as_json=as_json)


@click.command("untag", short_help="Remove a tag from readers.")
@click.argument("tag")
@_add_selection_options
def untag_command(
    tag: str, *, addresses: tuple[str, ...], file: Path | None, query: str | None, as_json: bool
) -> int:
    """Remove TAG from readers, chosen by address, file or query.

    \b
    Examples:
      newsletter subscribers untag vip --file lapsed.csv
      newsletter subscribers untag vip --query tag:vip
    """
    return _change_tag(tag, addresses, file, query, adding=False, as_json=as_json)


def _change_tag(  # noqa: PLR0913 - the commands' options
    text: str,
    addresses: tuple[str, ...],
    file: Path | None,
    query: str | None,
    *,
    adding: bool,
    as_json: bool,
) -> int:
    import sqlalchemy as sa

    from newsletter.db.bulk import column_in
    from newsletter.db.schema import subscriber
    from newsletter.project import open_project
    from newsletter.subscribers import count_subscribers, tags
    from newsletter.subscribers.segments import find_segment

    if not (addresses or file or query):
        raise UsageError("no readers were given", remedy="Use --address, --file or --query.")
    name = tags.clean_tag(text)
    project = open_project()
    change = tags.add_tag if adding else tags.remove_tag
    changed = matched = 0
    seen: set[int] = set()  # so that a reader who is chosen twice is counted once
    remarks: list[dict[str, Any]] = []
    with open_project_database(project) as engine, engine.begin() as connection:
        if query:
            now = datetime.datetime.now(datetime.UTC)
            condition = find_segment(connection, query, project.config, now).condition
            if addresses or file:  # before the change, by which they may leave the segment
                seen.update(connection.scalars(sa.select(subscriber.c.id).where(condition)))
            matched += count_subscribers(connection, condition)
            changed += change(connection, name, condition)
        for chunk in _iter_chunks(addresses, file):
            ids = _match_rows(connection, chunk, remarks) - seen
            seen |= ids
            matched += len(ids)
            changed += change(connection, name, column_in(connection, subscriber.c.id, ids))
    data = {"tag": name, "changed": changed, "unchanged": matched - changed, "remarks": remarks}
    _print_result(data, adding=adding, as_json=as_json)
    return 1 if remarks else 0


def _iter_chunks(addresses: tuple[str, ...], file: Path | None) -> "Iterator[list[AddressFileRow]]":
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.tags import AddressFileRow, read_address_file

    parsed = [parse_address(address) for address in addresses]
    if parsed:
        yield [AddressFileRow(0, key, address) for address, key in parsed]
    rows = read_address_file(file) if file else iter(())
    while chunk := list(islice(rows, CHUNK_SIZE)):
        yield chunk


def _match_rows(
    connection: "sa.Connection", rows: "list[AddressFileRow]", remarks: list[dict[str, Any]]
) -> set[int]:
    """Return the ids of those rows that are in the list; add a remark for each other row.

    For one that was typed, not read from a file, the remark has near addresses.
    """
    from newsletter.subscribers.queries.near_addresses import find_near_addresses
    from newsletter.subscribers.tags import find_ids

    ids = find_ids(connection, {row.key for row in rows})
    for line, key, text in rows:
        if key not in ids:
            reason = f"'{text}' is not in the list" if key else text
            if not line and (near := find_near_addresses(connection, key)):
                reason = f"{reason}. {format_suggestion(near)}"
            remarks.append(({"row": line} if line else {}) | {"reason": reason})
    return set(ids.values())


def _print_result(data: dict[str, Any], *, adding: bool, as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    done = (
        f"'{data['tag']}' was {'added to' if adding else 'removed from'} "
        f"{format_count(data['changed'], 'reader')}"
    )
    rest = (
        f"; {data['unchanged']:,} had it already"
        if adding
        else f"; {data['unchanged']:,} didn't have it"
    )
    echo(f"{done}{rest if data['unchanged'] else ''}.", color="green")
    for remark in data["remarks"][:MAX_REMARKS_SHOWN]:
        row = f"row {remark['row']:,}: " if "row" in remark else ""
        echo_err(f"    {row}{remark['reason']}", color="yellow")
    more = len(data["remarks"]) - MAX_REMARKS_SHOWN
    if more > 0:
        echo_err(f"    and {more:,} more", color="yellow")
