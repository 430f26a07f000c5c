"""Waits for saves: the only asynchronous part, with the stream that tells the page of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

from newsletter.preview.rendered_issues import IssueState, PreviewWorkspace
from newsletter.project import CONFIG_NAME, Project

# A save is one to four events within a few milliseconds; what comes later is another version.
STEP_MS = 4
DEBOUNCE_MS = 40


class ChangeNotifier:
    """Rings when something has changed; whoever waits then looks for themselves."""

    def __init__(self) -> None:
        self.change_count = 0
        self.closed = False
        self._condition = asyncio.Condition()

    async def notify(self, *, closing: bool = False) -> None:
        """Wake everybody who waits."""
        async with self._condition:
            self.change_count += 1
            self.closed |= closing
            self._condition.notify_all()

    async def wait_for_change(self, seen_count: int) -> None:
        """Wait until it has rung more than ``seen`` times."""
        async with self._condition:
            await self._condition.wait_for(lambda: self.change_count > seen_count)


async def stream_issue_states(
    workspace: PreviewWorkspace, notifier: ChangeNotifier, name: str
) -> AsyncIterator[IssueState]:
    """The issue now, and each time that it has changed; saves that come too fast are skipped."""
    shown = 0
    while not notifier.closed:
        seen = notifier.change_count
        view = await asyncio.to_thread(workspace.get_state, name)
        if view.version > shown:
            shown = view.version
            yield view
        await notifier.wait_for_change(seen)


async def watch_files(
    workspace: PreviewWorkspace, notifier: ChangeNotifier, stop_event: asyncio.Event
) -> None:
    """Tell the desk of every change to its files until ``stop`` is set."""
    root = workspace.project.root
    again = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_root(workspace, notifier, stop_event, again))
        while not stop_event.is_set():
            again.clear()
            await _watch_folders(workspace, notifier, again)
            # What was saved while the folder was away has told nobody.
            workspace.invalidate([root / "templates", root / "issues"])


async def _watch_root(
    workspace: PreviewWorkspace,
    notifier: ChangeNotifier,
    stop_event: asyncio.Event,
    restart_event: asyncio.Event,
) -> None:
    """newsletter.yml, by its folder: editors put a new file in its place."""
    root = workspace.project.root
    ours = {root / CONFIG_NAME, workspace.project.issues_dir, workspace.project.templates_dir}

    def concerns(_: Change, path: str) -> bool:
        return Path(path) in ours

    async for changes in awatch(
        root,
        watch_filter=concerns,
        stop_event=stop_event,
        recursive=False,
        step=STEP_MS,
        debounce=DEBOUNCE_MS,
    ):
        paths = {Path(path) for change, path in changes}
        workspace.invalidate(paths)
        if any(
            path.name != CONFIG_NAME and change != Change.modified
            for change, path in ((c, Path(p)) for c, p in changes)
        ):
            restart_event.set()
        await notifier.notify()
    restart_event.set()


async def _watch_folders(
    workspace: PreviewWorkspace, notifier: ChangeNotifier, restart_event: asyncio.Event
) -> None:
    folders = [path for path in _get_watched_folders(workspace.project) if path.is_dir()]
    if not folders:
        await restart_event.wait()
        return
    async for changes in awatch(
        *folders,
        watch_filter=_is_saved_file,
        stop_event=restart_event,
        step=STEP_MS,
        debounce=DEBOUNCE_MS,
    ):
        workspace.invalidate(Path(path) for _, path in changes)
        await notifier.notify()


def _get_watched_folders(project: Project) -> tuple[Path, Path]:
    return project.issues_dir, project.templates_dir


def _is_saved_file(_: Change, path: str) -> bool:
    """Not what editors write beside a file while they work."""
    name = Path(path).name
    return not name.startswith((".", "#")) and not name.endswith(("~", ".tmp", ".swp", ".swx"))
