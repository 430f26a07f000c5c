"""``newsletter subscribers import``: add the subscribers of a file."""

import datetime
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, echo_err, format_fields, format_status_counts, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.project_database import open_project_database
from newsletter.errors import display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.subscribers.importing.import_list import ImportSummary

MAX_REMARKS_SHOWN = 10
MAX_WARNINGS_SHOWN = 5
MAX_SKIPPED_SHOWN = 5
# From this many rows on, the peak memory is printed.
MEMORY_REPORT_ROWS = 100_000


@click.command("import", short_help="Add the readers of a file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="What a column holds: email, name, first_name, last_name, status, tags, joined_at, "
    "confirmed_at, source, consent, confirmation, opt_out, ignored or any attribute.",
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag every reader of the file.")
@click.option(
    "--resubscribe",
    is_flag=True,
    help="Bring back readers who unsubscribed or bounced, but never those who complained.",
)
@click.option(
    "--consent", metavar="TEXT", help="Where their consent comes from; the journal keeps it."
)
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per file, for scripts."
)
def import_list_command(  # noqa: PLR0913 - click passes each option as a parameter
    file: Path,
    mapping: tuple[str, ...],
    tags: tuple[str, ...],
    resubscribe: bool,  # noqa: FBT001
    consent: str | None,
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Add the readers of FILE to the list, and update those who are already in it.

    FILE is CSV with commas, semicolons or tabs, in any encoding; its first row names the
    columns. Columns other than address, name, status, tags and dates become attributes, which
    posts can use: 'Home town' is {{ subscriber.home_town }}. Exports of Mailchimp, Substack,
    Ghost, Buttondown, Kit, beehiiv, listmonk and of newsletter itself are recognized, also as
    a ZIP of CSV files.

    A column of consents, opt-ins or opt-outs decides who gets emails, and so does a file's name
    such as unsubscribed.csv. An import never brings back anybody who has unsubscribed, unless you
    give --resubscribe and, with --consent, where their new consent comes from.

    Rows that can't be imported are written to FILE.refused.csv with the reason, to be corrected
    and imported; the exit code is then 1. Importing a file again changes nothing.

    \b
    Example:
      newsletter subscribers import readers.csv --map 'Contact=email' --tag launch
    """
    from newsletter.project import open_project
    from newsletter.subscribers.importing import import_list
    from newsletter.subscribers.tags import clean_tag

    if resubscribe != bool(consent and consent.strip()):
        raise click.UsageError("--resubscribe and --consent 'where it comes from' go together")
    import_options = import_list.ListImportOptions(
        _parse_mapping(mapping),
        tuple(clean_tag(tag) for tag in tags),
        (consent or "").strip(),
        dry_run,
    )
    project = open_project()
    with (
        open_project_database(project) as engine,
        progress_bar(file.stat().st_size, "Importing") as advance,
    ):
        reports = import_list.import_subscriber_files(
            engine,
            file,
            now=datetime.datetime.now(datetime.UTC),
            options=import_options,
            max_unpacked_bytes=project.config.limits.list_bytes,
            progress=advance,
        )
    for report in reports:
        if as_json:
            print_json(_to_dict(report, dry_run=dry_run))
        else:
            _print_report(report)
    if not as_json:
        _print_next_step(reports, dry_run=dry_run)
    return 1 if any(report.rejected for report in reports) else 0


def _parse_mapping(options: tuple[str, ...]) -> dict[str, str]:
    """Parse options like ``Email Address=email`` into a mapping from column to field."""
    mapping = {}
    for option in options:
        column, separator, name = option.rpartition("=")
        if not separator or not column or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise click.BadParameter(
                f"'{option}' is not COLUMN=FIELD, like 'Email Address=email'", param_hint="--map"
            )
        mapping[column] = name
    return mapping


def _print_report(report: "ImportSummary") -> None:
    guess = " (a guess: save it as UTF-8 if names look wrong)" if report.encoding.guessed else ""
    service = f", an export of {report.service}" if report.service else ""
    echo(
        f"{report.file}: {format_count(report.rows, 'row')}, {report.encoding.name}{guess}{service}"
    )
    kept_out = (
        f"{format_status_counts(report.not_reactivated)} in the list; an import does not "
        "resubscribe them"
    )
    reasons = (
        "\n".join(
            f"{count:,} {reason}" for reason, count in report.rejection_reasons.most_common(5)
        )
        if len(report.rejection_reasons) > 1
        else ""
    )
    rows = [
        ("columns", report.columns, _format_columns(report)),
        (
            "status",
            report.file_status != "active",
            f"all {report.file_status}, by the file's name",
        ),
        (
            "no email",
            report.columns and report.columns.consent_columns and report.not_active,
            f"to {format_status_counts(report.not_active)} in the file",
        ),
        ("new", report.new, format_status_counts(report.new)),
        ("updated", report.updated, f"{report.updated:,}"),
        (
            "back",
            report.resubscribed,
            f"{report.resubscribed:,} resubscribed, with the consent that you stated",
        ),
        ("unchanged", report.unchanged, f"{report.unchanged:,}"),
        (
            "repeated",
            report.duplicates,
            f"{report.duplicates:,}; the first row of an address is used",
        ),
        ("kept out", report.not_reactivated, kept_out),
        ("erased", report.erased, f"{report.erased:,} who asked to be forgotten"),
        ("refused", report.rejected, "\n".join(filter(None, [f"{report.rejected:,}", reasons]))),
        (
            "doubtful",
            report.address_warning_count,
            f"{report.address_warning_count:,} imported, but check them",
        ),
    ]
    echo(format_fields((label, value) for label, is_shown, value in rows if is_shown))
    remark_count = report.rejected + report.duplicates + report.erased
    _print_remarks(report.remarks, remark_count, MAX_REMARKS_SHOWN)
    _print_remarks(report.address_warnings, report.address_warning_count, MAX_WARNINGS_SHOWN)
    for notice in report.notices:
        echo_err(f"    {notice}", color="yellow")
    _print_skipped_files(report.skipped_files)


def _print_skipped_files(skipped_files: Sequence[tuple[str, str]]) -> None:
    """List the files of a ZIP that were not read; of many with one reason, only the first."""
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in skipped_files:
        names_by_reason.setdefault(reason, []).append(name)
    for reason, names in names_by_reason.items():
        for name in names[:MAX_SKIPPED_SHOWN]:
            echo_err(f"    skipped {name}: {reason}", color="yellow")
        more = len(names) - MAX_SKIPPED_SHOWN
        if more > 0:
            echo_err(f"    skipped {more:,} more: {reason}", color="yellow")


def _print_remarks(remarks: Sequence[tuple[int, str]], total: int, limit: int) -> None:
    for line, reason in remarks[:limit]:
        echo_err(f"    row {line:,}: {reason}", color="yellow")
    if total > limit:
        echo_err(f"    and {total - limit:,} more", color="yellow")


def _print_next_step(reports: "Sequence[ImportSummary]", *, dry_run: bool) -> None:
    if sum(report.rows for report in reports) >= MEMORY_REPORT_ROWS:
        echo(f"Peak memory: {_peak_memory_mb():,} MB")
    rejected_files = [report.rejected_rows_path for report in reports if report.rejected_rows_path]
    if dry_run:
        echo("Nothing was changed: this was a dry run.")
    elif rejected_files:
        files = " and ".join(display_path(path) for path in rejected_files)
        echo(f"Next: correct {files} and import {'it' if len(rejected_files) == 1 else 'them'}.")
    else:
        echo("Next: newsletter subscribers list", color="green")


def _format_columns(report: "ImportSummary") -> str:
    columns = report.columns
    if columns is None:
        return ""
    if not columns.header:
        return "addresses only"
    header = columns.header

    def quote_names(indices: Sequence[int]) -> str:
        return " and ".join(f"'{header[index]}'" for index in indices)

    by_field = columns.single_columns
    parts = [
        ("address from", [columns.address]),
        ("name from", columns.names),
        ("status from", columns.status_columns),
        ("tags from", columns.tags),
        ("joined from", [by_field["joined_at"]] if "joined_at" in by_field else []),
        ("confirmed from", [by_field["confirmed_at"]] if "confirmed_at" in by_field else []),
        ("source from", [by_field["source"]] if "source" in by_field else []),
        ("attributes from", columns.json),
    ]
    phrases = [f"{label} {quote_names(indices)}" for label, indices in parts if indices]
    if columns.attributes:
        phrases.append("attributes " + ", ".join(columns.attributes.values()))
    return "; ".join(phrases)


def _to_dict(report: "ImportSummary", *, dry_run: bool) -> dict[str, Any]:
    return {
        "file": report.file,
        "dry_run": dry_run,
        "service": report.service,
        "encoding": report.encoding.name,
        "encoding_guessed": report.encoding.guessed,
        "delimiter": report.delimiter,
        "rows": report.rows,
        "file_status": report.file_status,
        "not_active": dict(report.not_active),
        "notices": report.notices,
        "new": dict(report.new),
        "updated": report.updated,
        "resubscribed": report.resubscribed,
        "unchanged": report.unchanged,
        "repeated": report.duplicates,
        "kept_out": dict(report.not_reactivated),
        "erased": report.erased,
        "refused": report.rejected,
        "refused_because": dict(report.rejection_reasons),
        "refused_file": str(report.rejected_rows_path) if report.rejected_rows_path else None,
        "remarks": [{"row": line, "reason": reason} for line, reason in report.remarks],
        "passed_over": dict(report.skipped_files),
        "doubtful": report.address_warning_count,
        "doubts": [{"row": line, "reason": reason} for line, reason in report.address_warnings],
        "peak_memory_mb": _peak_memory_mb(),
    }


def _peak_memory_mb() -> int:
    """Return the peak memory of this process in MB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS, in KB elsewhere
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
