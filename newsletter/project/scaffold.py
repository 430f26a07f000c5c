"""Makes the folder of a new newsletter."""

import re
import shutil
import tempfile
from pathlib import Path

from newsletter.errors import Location, ProjectError, shown
from newsletter.project.folder import CONFIG_NAME

PACKAGE = Path(__file__).parent.parent
STARTER = Path(__file__).with_name("starter")
SCHEMA = PACKAGE / "config" / "newsletter.schema.json"
HOST_LABEL = 63  # characters (RFC 1035)


def default_templates() -> Path:
    """The folder of the templates that a new newsletter starts with."""
    installed = PACKAGE / "default_templates"
    return installed if installed.is_dir() else PACKAGE.parent / "templates"


def make_folder(folder: Path, name: str, address: str | None) -> None:
    """Make a newsletter's folder; all of it or nothing, and nothing is overwritten.

    Args:
        folder: made if need be; may hold other things already.
        name: of the newsletter, one line.
        address: of the sender; a placeholder, which can't send, if not given.

    Raises:
        ProjectError: something that would be made is there already.
    """
    made = [target for target in (folder, *folder.parents) if not target.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".newsletter-", dir=folder) as aside:
            _fill(Path(aside), name, address)
            # newsletter.yml last: it is what makes a folder a newsletter's.
            entries = sorted(Path(aside).iterdir(), key=lambda entry: entry.name == CONFIG_NAME)
            _refuse_to_overwrite([folder / entry.name for entry in entries])
            _move(entries, folder)
    except BaseException:
        for target in made:
            if target.exists():
                target.rmdir()
        raise


def _fill(folder: Path, name: str, address: str | None) -> None:
    host = f"{_label(name)}.example"  # RFC 2606: nobody's
    values = {
        "NAME": _quoted(name),
        "ADDRESS": _quoted(address or f"editor@{host}"),
        "SITE": f"https://{host}",
    }
    settings = (STARTER / CONFIG_NAME).read_text(encoding="utf-8")
    settings = re.sub("@([A-Z]+)@", lambda mark: values[mark[1]], settings)
    (folder / CONFIG_NAME).write_text(settings, encoding="utf-8")
    (folder / "issues").mkdir()
    (folder / "issues" / ".gitkeep").touch()
    shutil.copytree(default_templates(), folder / "templates", copy_function=shutil.copyfile)
    shutil.copyfile(STARTER / "gitignore", folder / ".gitignore")
    shutil.copyfile(STARTER / "env.example", folder / ".env.example")
    shutil.copyfile(SCHEMA, folder / SCHEMA.name)


def _refuse_to_overwrite(targets: list[Path]) -> None:
    there = sorted(target.name for target in targets if target.exists() or target.is_symlink())
    if there:
        raise ProjectError(
            f"already there: {', '.join(there)}; nothing was changed",
            where=Location(shown(targets[0].parent)),
            remedy="Choose another folder, or move what is there away.",
        )


def _move(entries: list[Path], folder: Path) -> None:
    moved = []
    try:
        for entry in entries:
            entry.rename(folder / entry.name)
            moved.append(entry)
    except BaseException:
        for entry in moved:
            (folder / entry.name).rename(entry)
        raise


def _label(name: str) -> str:
    """``name`` as a host's label: letters, digits, hyphens."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower())[:HOST_LABEL].strip("-")
    return label or "newsletter"


def _quoted(text: str) -> str:
    """``text`` as a YAML scalar on one line."""
    import math

    import yaml

    return str(yaml.safe_dump(text, allow_unicode=True, width=math.inf)).split("\n")[0]
