"""``newsletter preview``: the issue in the browser, as it is written."""

import click

from newsletter.cli.output import echo, echo_err


@click.command("preview", short_help="See the mail in your browser as you write it.")
@click.argument("issue", required=False)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N",
              help="Where to answer; 4321 or another free one if left out.")  # fmt: skip
@click.option("--open/--no-open", "show", default=True, help="Open the page in your browser.")
def preview_command(issue: str | None, *, port: int | None, show: bool) -> None:
    """Show an issue's mail in your browser, new after each save.

    ISSUE is a folder's name or a part of it; the newest if left out. The page has the
    mail at every width, in the dark, as clients and as odd readers see it, its text,
    source and request. Only this machine can open it, by the address that is printed.

    \b
    Examples:
      newsletter preview building-trust
      newsletter preview --port 8080 --no-open
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.preview.rendered_issues import PreviewWorkspace
    from newsletter.preview.server import PreviewServer, open_preview_socket
    from newsletter.project import find_issue, open_project

    project = open_project()
    name = find_issue(project, issue).name
    with open_preview_socket(port) as taken:
        desk = PreviewWorkspace(project)
        desk.get_state(name)  # warms up: the first save is as quick as the later ones
        server = PreviewServer(desk, name, taken)
        echo(f"{server.address}   (Ctrl-C to stop; reloads as you save)")
        if show:
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.run_until_stopped()
        except KeyboardInterrupt:  # how it is meant to end
            echo_err("Stopped.")
