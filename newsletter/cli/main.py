"""The top of the command line: the group, how errors are shown, exit codes."""

import errno
import gc
import io
import os
import sys

import click

from newsletter import __version__
from newsletter.cli.lazy_group import LazyCommand, LazyGroup
from newsletter.cli.output import echo_err, print_error
from newsletter.errors import Location, NewsletterError, display_path

# In the order of an editor's week.
COMMANDS = {
    "init": LazyCommand(
        "newsletter.cli.project.init:init_command", "Make a new newsletter's folder."
    ),
    "import": LazyCommand(
        "newsletter.cli.issue.import_post:import_post_command", "Make an issue from a post."
    ),
    "build": LazyCommand(
        "newsletter.cli.issue.build:build_command", "Turn an issue into an email."
    ),
    "preview": LazyCommand(
        "newsletter.cli.issue.preview:preview_command",
        "See the mail in your browser as you write it.",
    ),
    "check": LazyCommand(
        "newsletter.cli.issue.check:check_command",
        "Look for what would go wrong before it is sent.",
    ),
    "doctor": LazyCommand(
        "newsletter.cli.project.doctor:doctor_command", "See whether all is in place for a send."
    ),
    "subscribers": LazyCommand(
        "newsletter.cli.subscribers:subscribers_group", "Keep the list of readers."
    ),
    "test": LazyCommand(
        "newsletter.cli.issue.test:test_command", "Send a marked copy to yourself."
    ),
    "plan": LazyCommand(
        "newsletter.cli.send.plan:plan_command", "Fix what is sent to whom, and send nothing yet."
    ),
    "send": LazyCommand(
        "newsletter.cli.send.send:send_command",
        "Send an issue to the readers, or see exactly what would go.",
    ),
    "rehearse": LazyCommand(
        "newsletter.cli.send.rehearse:rehearse_command",
        "Rehearse a send against a stand-in for SendGrid, with faults.",
    ),
    "status": LazyCommand("newsletter.cli.send.status:status_command", "See how a send stands."),
    "pause": LazyCommand(
        "newsletter.cli.send.pause:pause_command",
        "Stop a running send after the requests in flight.",
    ),
    "resume": LazyCommand(
        "newsletter.cli.send.resume:resume_command", "Go on with a send that was stopped."
    ),
    "cancel": LazyCommand(
        "newsletter.cli.send.cancel:cancel_command",
        "Give up what has not left; take back what SendGrid holds.",
    ),
    "retry": LazyCommand(
        "newsletter.cli.send.retry:retry_command",
        "Send again to the readers whom SendGrid refused.",
    ),
    "resolve": LazyCommand(
        "newsletter.cli.send.resolve:resolve_command", "Settle by hand what is unknown."
    ),
    "reconcile": LazyCommand(
        "newsletter.cli.send.reconcile:reconcile_command",
        "Settle what is unknown by SendGrid's events.",
    ),
    "who": LazyCommand(
        "newsletter.cli.send.who:who_command", "See what became of each reader of a send, and why."
    ),
    "events": LazyCommand(
        "newsletter.cli.reports.events:events_group", "Take in what SendGrid reports of mails."
    ),
    "archive": LazyCommand(
        "newsletter.cli.web.archive:archive_command", "Write the sent issues as web pages."
    ),
    "report": LazyCommand(
        "newsletter.cli.reports.report:report_command", "See what became of a send."
    ),
    "serve": LazyCommand(
        "newsletter.cli.web.serve:serve_command",
        "Answer the world: sign-up, unsubscribe, archive, webhook.",
    ),
    "db": LazyCommand("newsletter.cli.database.db:db_group", "Make or upgrade the database."),
    "backup": LazyCommand(
        "newsletter.cli.database.backup:backup_command",
        "Copy the list and the record of sends into a file.",
    ),
    "restore": LazyCommand(
        "newsletter.cli.database.restore:restore_command", "Put a backup in the database's place."
    ),
}


def _configure_logging(ctx: click.Context, param: click.Parameter, verbose: int) -> None:  # noqa: ARG001 - click's own
    if verbose:
        import logging

        # Ours alone: the vendor's client would log the key and every address at DEBUG.
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("newsletter").setLevel(logging.DEBUG if verbose > 1 else logging.INFO)


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="newsletter %(version)s")
@click.option(
    "-v",
    "--verbose",
    count=True,
    is_eager=True,  # so that it holds while a command is being imported
    expose_value=False,
    callback=_configure_logging,
    help="Say more; twice for every step.",
)
def cli() -> None:
    """Turn a blog post into an email issue and send it to every reader, once.

    \b
    newsletter init harbour-notes      make the folder
    newsletter import POST             a post becomes an issue
    newsletter build                   the issue becomes an email
    newsletter send --dry-run          see exactly what would be sent
    """  # noqa: D301 - \b is click's own mark: don't rewrap


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with 0 (done), 1 (refused or failed) or 2 (usage)."""
    # Imports make a hundred thousand objects that all stay. To look through them again and again
    # for what can go, and once more at the end, is a sixth of the time of a short command.
    gc.set_threshold(100_000, 20, 20)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that can't show a letter: \u2026
            stream.reconfigure(errors="backslashreplace")
    code = run_cli(args)
    _discard_unwritten_output()
    gc.freeze()
    sys.exit(code)


def run_cli(args: list[str] | None = None) -> int:  # noqa: PLR0911 - one return a kind of ending
    """Run the command line and return its exit code; whatever goes wrong is told in words."""
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
        return 1  # the reader of our output has gone (`| head`): not a fault
    except OSError as error:
        _print_traceback()
        print_error(_explain_os_error(error))
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: nobody should read a traceback
        _print_traceback()
        print_error(_explain_bug(error))
        return 1


def _invoke_click(args: list[str] | None) -> int:
    try:
        outcome: object = cli.main(args=args, prog_name="newsletter", standalone_mode=False)
    except SystemExit as stop:  # click's way when the pipe is closed
        outcome = stop.code
    sys.stdout.flush()  # here, where a full disk can still be told
    return outcome if isinstance(outcome, int) else 0


def _open_closed_streams() -> None:
    """Let output go nowhere that was closed by the shell (`>&-`); Python has ``None`` for it."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            # At its own number: no database must be opened where a message could be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w"))


def _discard_unwritten_output() -> None:
    """Discard output that can't be written, which would make Python exit with 120."""
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
        help_of = context.command_path if context else "newsletter"
        print_error(NewsletterError(error.format_message(), remedy=f"Help: {help_of} -h"))
    return error.exit_code


def _explain_os_error(error: OSError) -> NewsletterError:
    """What the operating system refused, in words that help."""
    from pathlib import Path

    where = Location(display_path(Path(os.fsdecode(error.filename)))) if error.filename else None
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NewsletterError(
            "the disk is full; nothing was left half-written",
            where=where,
            remedy="Make room and run the same command again.",
        )
    return NewsletterError((error.strerror or str(error)).lower(), where=where)


def _explain_bug(error: Exception) -> NewsletterError:
    """A fault that is ours."""
    told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return NewsletterError(
        f"this is a bug in newsletter, not a mistake of yours: {_redact_key(told)}",
        remedy="Run newsletter -vv COMMAND again and report what it prints.",
    )


def _print_traceback() -> None:
    """Print the traceback being handled, for those who asked with -vv."""
    import logging
    import traceback

    if logging.getLogger("newsletter").isEnabledFor(logging.DEBUG):
        echo_err(_redact_key(traceback.format_exc()))


def _redact_key(text: str) -> str:
    key = os.environ.get("SENDGRID_API_KEY")
    return text.replace(key, "SG.…") if key else text
