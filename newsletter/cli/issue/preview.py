"""``newsletter preview``: run the local preview server."""

import click

from newsletter.cli.output import echo, echo_err


@click.command("preview", short_help="Preview the email in your browser as you write it.")
@click.argument("issue", required=False)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port to listen on; 4321 or another free one if left out.",
)
@click.option("--open/--no-open", "show", default=True, help="Open the page in your browser.")
def preview_command(issue: str | None, *, port: int | None, show: bool) -> None:
    """Show an issue's email in your browser, updated after each save.

    ISSUE is a folder's name or a part of it; the newest if left out. The page has the
    email at every width, in dark mode, as other email clients show it and with unusual data
    of readers, its text, source and request. A post that you drop on it becomes an issue.
    Only this machine can open it, at the printed address.

    \b
    Examples:
      newsletter preview building-trust
      newsletter preview --port 8080 --no-open
    """
    from newsletter.preview.rendered_issues import PreviewWorkspace
    from newsletter.preview.server import PreviewServer, open_preview_socket
    from newsletter.project import find_issue, list_issue_folders, open_project

    project = open_project()
    # In a folder without issues, the page takes the first post.
    is_empty = issue is None and not list_issue_folders(project)
    name = "" if is_empty else find_issue(project, issue).name
    with open_preview_socket(port) as listener:
        workspace = PreviewWorkspace(project)
        workspace.get_state(name)  # warm up, so that the first save renders as fast as later ones
        server = PreviewServer(workspace, name, listener)
        echo(f"{server.address}   (Ctrl-C to stop; reloads as you save)")
        if show:
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.run_until_stopped()
        except KeyboardInterrupt:  # the normal way to stop
            echo_err("Stopped.")
