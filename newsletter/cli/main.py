"""Entry point: command table, logging, error messages, exit codes."""

import gc
import io
import os
import sys

import click

from newsletter import __version__
from newsletter.cli.lazy_group import LazyCommand, LazyGroup
from newsletter.cli.output import echo_err, print_error
from newsletter.errors import (
    FULL_DISK_ERRORS,
    FULL_DISK_MESSAGE,
    FULL_DISK_REMEDY,
    Location,
    NewsletterError,
    display_path,
)

# In the order in which an editor uses them for an issue.
COMMANDS = {
    "init": LazyCommand(
        "newsletter.cli.project.init:init_command", "Make a new newsletter's folder."
    ),
    "setup": LazyCommand(
        "newsletter.cli.project.setup:setup_command",
        "Fill in newsletter.yml, question by question.",
    ),
    "templates": LazyCommand(
        "newsletter.cli.project.templates:templates_group", "List, choose and copy designs."
    ),
    "import": LazyCommand(
        "newsletter.cli.issue.import_post:import_post_command", "Make issues from posts."
    ),
    "weekly": LazyCommand(
        "newsletter.cli.issue.weekly:weekly_command",
        "Make this week's issue of what the blog has new.",
    ),
    "digest": LazyCommand(
        "newsletter.cli.issue.digest:digest_command", "Make one issue of several posts."
    ),
    "issues": LazyCommand(
        "newsletter.cli.issue.issues:issues_command", "List the issues and their states."
    ),
    "build": LazyCommand(
        "newsletter.cli.issue.build:build_command", "Turn an issue into an email."
    ),
    "preview": LazyCommand(
        "newsletter.cli.issue.preview:preview_command",
        "Preview the email in your browser as you write it.",
    ),
    "check": LazyCommand(
        "newsletter.cli.issue.check:check_command",
        "Look for what would go wrong before it is sent.",
    ),
    "doctor": LazyCommand(
        "newsletter.cli.project.doctor:doctor_command", "Check that everything is ready for a send."
    ),
    "subscribers": LazyCommand(
        "newsletter.cli.subscribers:subscribers_group", "Manage the list of readers."
    ),
    "test": LazyCommand(
        "newsletter.cli.issue.test:test_command", "Send a marked copy to yourself."
    ),
    "plan": LazyCommand(
        "newsletter.cli.send.plan:plan_command",
        "Freeze an issue's content and recipients, and send nothing yet.",
    ),
    "send": LazyCommand(
        "newsletter.cli.send.send:send_command",
        "Send an issue, or see exactly what would be sent.",
    ),
    "rehearse": LazyCommand(
        "newsletter.cli.send.rehearse:rehearse_command",
        "Rehearse a send against a test double of SendGrid, with faults.",
    ),
    "status": LazyCommand(
        "newsletter.cli.send.status:status_command", "Show the progress of a send."
    ),
    "pause": LazyCommand(
        "newsletter.cli.send.pause:pause_command",
        "Stop a running send after the requests in flight.",
    ),
    "resume": LazyCommand(
        "newsletter.cli.send.resume:resume_command", "Resume a send that was stopped."
    ),
    "reschedule": LazyCommand(
        "newsletter.cli.send.reschedule:reschedule_command",
        "Send a scheduled send at another time, or now.",
    ),
    "cancel": LazyCommand(
        "newsletter.cli.send.cancel:cancel_command",
        "Cancel what has not been sent yet, or what SendGrid still holds.",
    ),
    "retry": LazyCommand(
        "newsletter.cli.send.retry:retry_command",
        "Send again to the readers whom SendGrid refused.",
    ),
    "resolve": LazyCommand(
        "newsletter.cli.send.resolve:resolve_command", "Resolve unknown batches by hand."
    ),
    "reconcile": LazyCommand(
        "newsletter.cli.send.reconcile:reconcile_command",
        "Resolve unknown batches by SendGrid's events.",
    ),
    "who": LazyCommand(
        "newsletter.cli.send.who:who_command", "Show the result of a send for each reader, and why."
    ),
    "events": LazyCommand(
        "newsletter.cli.reports.events:events_group",
        "Import SendGrid's events; list unreadable ones.",
    ),
    "archive": LazyCommand(
        "newsletter.cli.web.archive:archive_command", "Write issues as web pages, and publish them."
    ),
    "report": LazyCommand(
        "newsletter.cli.reports.report:report_command", "Show the results of a send."
    ),
    "serve": LazyCommand(
        "newsletter.cli.web.serve:serve_command",
        "Serve the public pages: sign-up, unsubscribe, archive, webhook.",
    ),
    "worker": LazyCommand(
        "newsletter.cli.worker.worker:worker_command",
        "Send from this machine, too; needs PostgreSQL.",
    ),
    "db": LazyCommand(
        "newsletter.cli.database.db:db_group", "Upgrade, adopt or move the database."
    ),
    "backup": LazyCommand(
        "newsletter.cli.database.backup:backup_command",
        "Copy the list and the record of sends into a file.",
    ),
    "restore": LazyCommand(
        "newsletter.cli.database.restore:restore_command", "Restore the database from a backup."
    ),
}

# The headings of newsletter --help; each command is below one.
SECTIONS = {
    "Write": (
        "init",
        "setup",
        "templates",
        "import",
        "weekly",
        "digest",
        "issues",
        "preview",
        "check",
        "build",
        "test",
    ),
    "Readers": ("subscribers",),
    "Send": ("doctor", "rehearse", "plan", "send", "status", "who", "report"),
    "When a send stops": "pause resume reschedule cancel retry resolve reconcile".split(),
    "Publish": ("archive", "serve", "events"),
    "Upkeep": ("worker", "backup", "restore", "db"),
}


def _configure_logging(ctx: click.Context, param: click.Parameter, verbose: int) -> None:  # noqa: ARG001 - click's signature
    if verbose:
        import logging

        # Only our own loggers: SendGrid's client would log the key and every address at DEBUG.
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("newsletter").setLevel(logging.DEBUG if verbose > 1 else logging.INFO)


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "--version", message="newsletter %(version)s")
@click.option(
    "-v",
    "--verbose",
    count=True,
    is_eager=True,  # so that logging is on while a command is being imported
    expose_value=False,
    callback=_configure_logging,
    help="Log what is done; give it twice to log every step.",
)
def cli() -> None:
    """Turn a blog post into an email issue and send it to every reader, once.

    \b
    newsletter init harbour-notes      make the folder
    newsletter import POST             make an issue from a post
    newsletter build                   make an email from the issue
    newsletter send --dry-run          see exactly what would be sent
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with 0 (done), 1 (failed), 2 (usage) or 3 (nothing to do)."""
    # Imports create about a hundred thousand objects that stay alive. Garbage-collecting them again
    # and again takes a send 1.3 times the CPU time; at exit, it is of no use.
    gc.set_threshold(100_000, 20, 20)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character it can't encode is shown as \u2026
            stream.reconfigure(errors="backslashreplace")
    exit_code = run_cli(args)
    _discard_unwritten_output()
    gc.freeze()
    sys.exit(exit_code)


def run_cli(args: list[str] | None = None) -> int:  # noqa: PLR0911 - one return per kind of error
    """Run the command line and return its exit code; every error is printed as a message."""
    try:
        return _invoke_click(args)
    except NewsletterError as error:
        print_error(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo_err("Stopped.")
        return 1
    except click.ClickException as error:
        return _report_usage_error(error)
    except BrokenPipeError:
        return 1  # the program that reads our output has closed the pipe (`| head`): not an error
    except OSError as error:
        _print_traceback()
        print_error(_explain_os_error(error))
        return 1
    except Exception as error:  # noqa: BLE001 - last resort: users should not see a traceback
        _print_traceback()
        print_error(_explain_bug(error))
        return 1


def _invoke_click(args: list[str] | None) -> int:
    try:
        result: object = cli.main(args=args, prog_name="newsletter", standalone_mode=False)
    except SystemExit as exit_request:  # raised by click when the pipe is closed
        result = exit_request.code
    sys.stdout.flush()  # now, while a full disk can still be reported as an error
    return result if isinstance(result, int) else 0


def _open_closed_streams() -> None:
    """Redirect streams that the shell has closed (`>&-`) to /dev/null; Python sets them to None."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            # Keep the descriptor's number: otherwise the database could be opened under it, and a
            # message written to it would corrupt the file.
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w"))


def _discard_unwritten_output() -> None:
    """Discard output that can't be written; otherwise Python would exit with code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report_usage_error(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        command_path = context.command_path if context else "newsletter"
        print_error(NewsletterError(error.format_message(), remedy=f"Help: {command_path} -h"))
    return error.exit_code


def _explain_os_error(error: OSError) -> NewsletterError:
    """Translate an error of the operating system into a message for the user."""
    where = Location(display_path(os.fsdecode(error.filename))) if error.filename else None
    if error.errno in FULL_DISK_ERRORS:
        return NewsletterError(FULL_DISK_MESSAGE, where=where, remedy=FULL_DISK_REMEDY)
    return NewsletterError((error.strerror or str(error)).lower(), where=where)


def _explain_bug(error: Exception) -> NewsletterError:
    """Describe an unexpected exception as a bug of this program."""
    description = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return NewsletterError(
        f"this is a bug in newsletter, not a mistake of yours: {_redact_key(description)}",
        remedy="Run newsletter -vv COMMAND again and report what it prints.",
    )


def _print_traceback() -> None:
    """Print the traceback of the exception being handled if -vv was given."""
    import logging
    import traceback

    if logging.getLogger("newsletter").isEnabledFor(logging.DEBUG):
        echo_err(_redact_key(traceback.format_exc()))


def _redact_key(text: str) -> str:
    key = os.environ.get("SENDGRID_API_KEY")
    return text.replace(key, "SG.…") if key else text
