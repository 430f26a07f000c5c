"""Find the subscriber lists in a ZIP; refuse it if a list can't be read.

A file that isn't read may be that of those who have left. So only files that can't be such a list
are skipped, and each is listed with the reason.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError, display_file_name
from newsletter.subscribers.importing.files.csv_reader import open_csv
from newsletter.subscribers.importing.files.zip_reader import UnpackedArchive, UnpackedFile
from newsletter.subscribers.importing.import_summary import ImportSummary
from newsletter.subscribers.importing.open_list import ListSource, open_list_file
from newsletter.subscribers.importing.rows.address_cell import parse_address_cell
from newsletter.subscribers.importing.rows.export_formats import normalize_name
from newsletter.subscribers.importing.rows.file_status import status_from_filename
from newsletter.subscribers.importing.rows.row_status import STATUS_PRECEDENCE
from newsletter.zip_files import METADATA_REASON

# How many rows of a file that can't be read as a list are searched for addresses.
SEARCHED_ROWS = 100
# Parts of the names of subscriber lists, in the languages of the public pages.
_LIST_NAME = re.compile(
    r"subscri|member|audience|contact|reader|mailing|people|recipient|kontakt|leser|abonn"
    r"|empf|suscri|lector|iscritt|lettor|lezer|mottak|mitglied",
    re.IGNORECASE,
)
_EMPTY_FILE = "the file is empty"


class _Candidate(NamedTuple):
    """A file that can be read as a list, with the summary of its header."""

    name: str
    source: ListSource
    summary: ImportSummary


def open_single_source(path: Path) -> ListSource:
    """Return the source of a file that isn't in an archive.

    Raises:
        SubscriberListError: the file's name can mean two things.
    """
    return ListSource(path, str(path), display_file_name(path.name), path, _own_status(path))


def find_lists(
    archive: UnpackedArchive, path: Path, mapping: Mapping[str, str]
) -> tuple[list[ListSource], list[tuple[str, str]]]:
    """Return the subscriber lists in a ZIP, those of suppressed subscribers first; and the others.

    An export of a known service may contain other tables of addresses (who opened what): if the
    format of one file is recognized, only files that are lists by their format, name or columns
    count as lists.

    Args:
        archive: the unpacked ZIP.
        path: the ZIP.
        mapping: the editor's choice: column -> its role; a column need not be in every file.

    Raises:
        SubscriberListError: no file is a list; a file that can't be read may contain addresses of
            those who have left; or no file has a column of the mapping.
    """
    candidates: list[_Candidate] = []
    problems: list[tuple[UnpackedFile, SubscriberListError]] = []
    zip_status = _own_status(path) if len(archive.files) == 1 else "active"
    for file in archive.files:
        source = _create_source(file, path, zip_status)
        try:
            with open_list_file(source, mapping) as (_, summary):
                candidates.append(_Candidate(file.name, source, summary))
        except SubscriberListError as error:
            problems.append((file, error))
    _reject_unread_lists(archive, problems, path)
    if not candidates:
        raise problems[0][1]
    _check_mapping(candidates, mapping, path)
    knows_service = any(candidate.summary.service for candidate in candidates)
    lists = [item for item in candidates if not knows_service or _is_list(item, mapping)]
    skipped_files = [(file.name, error.problems[0].message) for file, error in problems]
    skipped_files += [
        (item.name, "not a subscriber list, by its columns")
        for item in candidates
        if item not in lists
    ]
    lists.sort(key=lambda item: STATUS_PRECEDENCE.index(item.source.file_status), reverse=True)
    return [item.source for item in lists], skipped_files + archive.ignored


def _create_source(file: UnpackedFile, path: Path, zip_status: str) -> ListSource:
    status = status_from_filename(file.name, from_service=True)
    # The name of the file of rejected rows implies the same status when it is imported.
    rejected_rows_base = path.with_name(f"{path.name}.{file.name.replace('/', '.')}")
    return ListSource(
        file.path,
        str(path / file.name),
        f"{display_file_name(path.name)}/{file.name}",
        rejected_rows_base,
        zip_status if status == "active" else status,
        is_archive_member=True,
    )


def _own_status(path: Path) -> str:
    """Return the status that a file's own name implies.

    Not that of its folders. That of a corrected file of rejected rows is the imported file's.
    """
    return status_from_filename(path.name, from_service=".zip." in path.name)


def _is_list(item: _Candidate, mapping: Mapping[str, str]) -> bool:
    """Return whether a file beside the lists of a known service is a subscriber list as well."""
    columns = item.summary.columns
    if item.summary.service or columns is None or item.source.file_status != "active":
        return True
    chosen = {normalize_name(column) for column in mapping}
    return (
        bool(_LIST_NAME.search(item.name))
        or bool(columns.status_columns or columns.unclear)
        or not columns.attributes.keys() - set(columns.names)
        or any(normalize_name(cell) in chosen for cell in columns.header)
    )


def _reject_unread_lists(
    archive: UnpackedArchive,
    problems: Sequence[tuple[UnpackedFile, SubscriberListError]],
    path: Path,
) -> None:
    """Reject a ZIP with a file that may contain those who have left and can't be read."""
    unread = [
        (name, reason)
        for name, reason in archive.ignored
        if reason != METADATA_REASON and _may_have_left(name)
    ]
    unread += [
        (file.name, error.problems[0].message)
        for file, error in problems
        if error.problems[0].message != _EMPTY_FILE
        and (_may_have_left(file.name) or _has_addresses(file.path))
    ]
    if unread:
        files = "; ".join(f"'{name}' ({reason})" for name, reason in unread[:5])
        raise SubscriberListError(
            f"files in the ZIP that can't be read may list readers who have left: {files}",
            where=Location(str(path)),
            remedy="Nothing was imported. Save them as CSV with a column 'email', or choose the "
            "column: --map 'COLUMN=email'; or remove them from the ZIP.",
        )


def _may_have_left(name: str) -> bool:
    try:
        return status_from_filename(name, from_service=True) != "active"
    except SubscriberListError:
        return True


def _has_addresses(path: Path) -> bool:
    """Return whether a cell of the first rows is an email address."""
    with suppress(SubscriberListError), open_csv(path) as file:
        for row in islice(file.rows(), SEARCHED_ROWS):
            for cell in row.cells:
                if "@" in cell:
                    with suppress(SubscriberListError):
                        parse_address_cell(cell)
                        return True
    return False


def _check_mapping(
    candidates: Sequence[_Candidate], mapping: Mapping[str, str], path: Path
) -> None:
    """Reject a mapping that names a column which no file has."""
    names = {
        normalize_name(cell)
        for item in candidates
        if item.summary.columns
        for cell in item.summary.columns.header
    }
    for column in mapping:
        if normalize_name(column) not in names:
            raise SubscriberListError(
                f"no file has a column '{column}'",
                where=Location(str(path)),
                remedy="Check the names in the first rows of the files.",
            )
