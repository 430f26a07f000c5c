"""Waits for saves: the only asynchronous part, with the stream that tells the page of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

from newsletter.preview.rendered_issues import Desk, View
from newsletter.project import CONFIG_NAME, Project

# A save is one to four events within a few milliseconds; what comes later is another version.
STEP = 4
DEBOUNCE = 40


class Bell:
    """Rings when something has changed; whoever waits then looks for themselves."""

    def __init__(self) -> None:
        self.rung = 0
        self.closed = False
        self._condition = asyncio.Condition()

    async def ring(self, *, closing: bool = False) -> None:
        """Wake everybody who waits."""
        async with self._condition:
            self.rung += 1
            self.closed |= closing
            self._condition.notify_all()

    async def after(self, seen: int) -> None:
        """Wait until it has rung more than ``seen`` times."""
        async with self._condition:
            await self._condition.wait_for(lambda: self.rung > seen)


async def views(desk: Desk, bell: Bell, name: str) -> AsyncIterator[View]:
    """The issue now, and each time that it has changed; saves that come too fast are skipped."""
    shown = 0
    while not bell.closed:
        seen = bell.rung
        view = await asyncio.to_thread(desk.view, name)
        if view.version > shown:
            shown = view.version
            yield view
        await bell.after(seen)


async def watch(desk: Desk, bell: Bell, stop: asyncio.Event) -> None:
    """Tell the desk of every change to its files until ``stop`` is set."""
    root = desk.project.root
    again = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_root(desk, bell, stop, again))
        while not stop.is_set():
            again.clear()
            await _watch_folders(desk, bell, again)
            # What was saved while the folder was away has told nobody.
            desk.changed([root / "templates", root / "issues"])


async def _watch_root(desk: Desk, bell: Bell, stop: asyncio.Event, again: asyncio.Event) -> None:
    """newsletter.yml, by its folder: editors put a new file in its place."""
    root = desk.project.root
    ours = {root / CONFIG_NAME, desk.project.issues_dir, desk.project.templates_dir}

    def concerns(_: Change, path: str) -> bool:
        return Path(path) in ours

    async for changes in awatch(
        root, watch_filter=concerns, stop_event=stop, recursive=False, step=STEP, debounce=DEBOUNCE
    ):
        paths = {Path(path) for change, path in changes}
        desk.changed(paths)
        if any(path.name != CONFIG_NAME and change != Change.modified
               for change, path in ((c, Path(p)) for c, p in changes)):  # fmt: skip
            again.set()
        await bell.ring()
    again.set()


async def _watch_folders(desk: Desk, bell: Bell, until: asyncio.Event) -> None:
    folders = [path for path in _folders(desk.project) if path.is_dir()]
    if not folders:
        await until.wait()
        return
    async for changes in awatch(
        *folders, watch_filter=_is_saved, stop_event=until, step=STEP, debounce=DEBOUNCE
    ):
        desk.changed(Path(path) for _, path in changes)
        await bell.ring()


def _folders(project: Project) -> tuple[Path, Path]:
    return project.issues_dir, project.templates_dir


def _is_saved(_: Change, path: str) -> bool:
    """Not what editors write beside a file while they work."""
    name = Path(path).name
    return not name.startswith((".", "#")) and not name.endswith(("~", ".tmp", ".swp", ".swx"))
