"""``newsletter subscribers``: the group and its table of commands."""

import click

from newsletter.cli.lazy_group import LazyCommand, LazyGroup
from newsletter.cli.output import make_output_private

_PACKAGE = "newsletter.cli.subscribers"
COMMANDS = {
    "import": LazyCommand(
        f"{_PACKAGE}.import_list:import_list_command", "Add the readers of a file."
    ),
    "export": LazyCommand(f"{_PACKAGE}.export:export_command", "Write the readers to a file."),
    "add": LazyCommand(
        f"{_PACKAGE}.add:add_command", "Add one reader, or bring one back by their consent."
    ),
    "show": LazyCommand(
        f"{_PACKAGE}.queries.show:show_command", "Show all that is known of a reader."
    ),
    "remove": LazyCommand(
        f"{_PACKAGE}.remove:remove_command", "Unsubscribe a reader who asked you to."
    ),
    "erase": LazyCommand(
        f"{_PACKAGE}.erase:erase_command", "Erase all that is known of a reader (GDPR)."
    ),
    "rotate-token": LazyCommand(
        f"{_PACKAGE}.remove:rotate_token_command", "Give a reader's links a new secret."
    ),
    "list": LazyCommand(f"{_PACKAGE}.queries.listing:list_command", "Show who is in the list."),
    "count": LazyCommand(
        f"{_PACKAGE}.queries.segments:count_command", "Count the readers that a query finds."
    ),
    "segments": LazyCommand(
        f"{_PACKAGE}.queries.segments:segments_command",
        "Show the segments of newsletter.yml, counted.",
    ),
    "tag": LazyCommand(f"{_PACKAGE}.tag:tag_command", "Add a tag to readers."),
    "untag": LazyCommand(f"{_PACKAGE}.tag:untag_command", "Remove a tag from readers."),
    "explain": LazyCommand(
        f"{_PACKAGE}.queries.explain:explain_command",
        "Explain why a reader gets an issue, or doesn't.",
    ),
    "diff": LazyCommand(
        f"{_PACKAGE}.queries.diff:diff_command",
        "Show who came and who left since an issue was sent.",
    ),
    "stats": LazyCommand(
        f"{_PACKAGE}.queries.stats:stats_command",
        "Show how the list grows: weeks, churn, sources, tags.",
    ),
    "sync": LazyCommand(
        f"{_PACKAGE}.sync:sync_command", "Bring SendGrid's bounces and unsubscribes into the list."
    ),
}
# They print numbers only: their output may be for everybody.
_WITHOUT_READERS = {"count", "segments", "stats"}


@click.group("subscribers", cls=LazyGroup, lazy=COMMANDS, short_help="Manage the list of readers.")
@click.pass_context
def subscribers_group(context: click.Context) -> None:
    """Manage the list of readers: fill it from files, change it, show it.

    \b
    Example:
      newsletter subscribers import readers.csv
    """
    if context.invoked_subcommand not in _WITHOUT_READERS:
        make_output_private()
