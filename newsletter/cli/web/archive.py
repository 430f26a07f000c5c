"""``newsletter archive``: write the sent issues as static web pages."""

from pathlib import Path

import click

from newsletter.cli.output import echo, print_json


@click.command("archive", short_help="Write the sent issues as web pages.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", required=True,
    help="The folder to write to; its other files are kept.",
)  # fmt: skip
@click.option(
    "--base-url", metavar="URL",
    help="Where the folder will be published; public_url if not given.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def archive_command(out: Path, base_url: str | None, *, as_json: bool) -> None:
    """Write index, articles, images and feeds of the sent issues as plain files.

    They are the pages that newsletter serve shows, without the search box. Files that
    have not changed are not written again, and nothing is deleted.

    \b
    Examples:
      newsletter archive --out public
      newsletter archive --out public --base-url https://example.org/letters
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from newsletter.config import value_types
    from newsletter.db import database_engine
    from newsletter.errors import UsageError, display_path
    from newsletter.project import open_project
    from newsletter.web.archive.static_export import write_archive
    from newsletter.web.site_context import open_site

    project = open_project()
    try:
        base = value_types.parse_base_url(base_url) if base_url else project.config.public_url
    except ValueError as error:
        raise UsageError(f"--base-url: {error}") from None
    if base is None:
        raise UsageError(
            "links and feeds need the URL at which the pages will be published",
            remedy="Use --base-url https://…, or set public_url in newsletter.yml.",
        )
    with database_engine(project.config.database, project.root, project.config.id) as engine:
        written = write_archive(open_site(project, engine), out, base if base_url else None)
    if as_json:
        data = {"folder": str(out), "base_url": base, **written._asdict()}
        print_json(data)
        return
    issues = f"{written.issues:,} issue{'' if written.issues == 1 else 's'}"
    echo(
        f"{display_path(out)}: {issues}, {written.files:,} files, {len(written.changed):,} "
        "of them new."
    )
    if not written.issues:
        echo("Nothing has been sent yet. Send an issue with: newsletter send", color="yellow")
