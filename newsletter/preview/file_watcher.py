"""Watch files for saves, stream new issue states to the page."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

from newsletter.preview.rendered_issues import IssueState, PreviewWorkspace
from newsletter.project import CONFIG_NAME, Project

# A save is one to four events within a few milliseconds; later events are another save.
STEP_MS = 4
DEBOUNCE_MS = 40


class ChangeNotifier:
    """A signal that something has changed; waiting tasks then fetch the new state."""

    def __init__(self) -> None:
        self.change_count = 0
        self.closed = False
        self._condition = asyncio.Condition()

    async def notify(self, *, closing: bool = False) -> None:
        """Wake all waiting tasks."""
        async with self._condition:
            self.change_count += 1
            self.closed |= closing
            self._condition.notify_all()

    async def wait_for_change(self, seen_count: int) -> None:
        """Wait until there have been more than ``seen_count`` changes."""
        async with self._condition:
            await self._condition.wait_for(lambda: self.change_count > seen_count)


async def stream_issue_states(
    workspace: PreviewWorkspace, notifier: ChangeNotifier, name: str
) -> AsyncIterator[IssueState]:
    """Yield the issue's state now and after each change; saves in quick succession are merged."""
    last_version = 0
    while not notifier.closed:
        seen_count = notifier.change_count
        state = await asyncio.to_thread(workspace.get_state, name)
        if state.version > last_version:
            last_version = state.version
            yield state
        await notifier.wait_for_change(seen_count)


async def watch_files(
    workspace: PreviewWorkspace, notifier: ChangeNotifier, stop_event: asyncio.Event
) -> None:
    """Invalidate what depends on a changed file, and notify, until ``stop_event`` is set."""
    root = workspace.project.root
    restart_event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_root(workspace, notifier, stop_event, restart_event))
        while not stop_event.is_set():
            restart_event.clear()
            await _watch_folders(workspace, notifier, restart_event)
            # Saves while a folder was missing have not been reported.
            workspace.invalidate([root / "templates", root / "issues"])


async def _watch_root(
    workspace: PreviewWorkspace,
    notifier: ChangeNotifier,
    stop_event: asyncio.Event,
    restart_event: asyncio.Event,
) -> None:
    """Watch ``newsletter.yml`` through its folder, since editors replace the file on saving.

    Sets ``restart_event`` when the folder of issues or of templates appears or disappears.
    """
    root = workspace.project.root
    watched = {root / CONFIG_NAME, workspace.project.issues_dir, workspace.project.templates_dir}

    def is_watched(_: Change, path: str) -> bool:
        return Path(path) in watched

    async for changes in awatch(
        root,
        watch_filter=is_watched,
        stop_event=stop_event,
        recursive=False,
        step=STEP_MS,
        debounce=DEBOUNCE_MS,
    ):
        paths = {Path(path) for change, path in changes}
        workspace.invalidate(paths)
        if any(
            path.name != CONFIG_NAME and change != Change.modified
            for change, path in ((change, Path(name)) for change, name in changes)
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
    """Return whether a file is neither hidden nor a temporary or backup file of a text editor."""
    name = Path(path).name
    return not name.startswith((".", "#")) and not name.endswith(("~", ".tmp", ".swp", ".swx"))
