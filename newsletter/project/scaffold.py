"""Makes the folder of a new newsletter."""

import re
import shutil
import tempfile
from pathlib import Path

from newsletter.errors import Location, ProjectError, display_path
from newsletter.project.folder import CONFIG_NAME

PACKAGE_DIR = Path(__file__).parent.parent
STARTER_DIR = Path(__file__).with_name("starter")
SCHEMA_FILE = PACKAGE_DIR / "config" / "newsletter.schema.json"
MAX_HOST_LABEL_LENGTH = 63  # characters (RFC 1035)


def default_templates_dir() -> Path:
    """The folder of the templates that a new newsletter starts with."""
    installed = PACKAGE_DIR / "default_templates"
    return installed if installed.is_dir() else PACKAGE_DIR.parent / "templates"


def create_project(folder: Path, name: str, address: str | None) -> None:
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
            _write_project_files(Path(aside), name, address)
            # newsletter.yml last: it is what makes a folder a newsletter's.
            entries = sorted(Path(aside).iterdir(), key=lambda entry: entry.name == CONFIG_NAME)
            _refuse_to_overwrite([folder / entry.name for entry in entries])
            _move_entries(entries, folder)
    except BaseException:
        for target in made:
            if target.exists():
                target.rmdir()
        raise


def _write_project_files(folder: Path, name: str, address: str | None) -> None:
    host = f"{_make_host_label(name)}.example"  # RFC 2606: nobody's
    values = {
        "NAME": _quote_yaml(name),
        "ADDRESS": _quote_yaml(address or f"editor@{host}"),
        "SITE": f"https://{host}",
    }
    settings = (STARTER_DIR / CONFIG_NAME).read_text(encoding="utf-8")
    settings = re.sub("@([A-Z]+)@", lambda mark: values[mark[1]], settings)
    (folder / CONFIG_NAME).write_text(settings, encoding="utf-8")
    (folder / "issues").mkdir()
    (folder / "issues" / ".gitkeep").touch()
    shutil.copytree(default_templates_dir(), folder / "templates", copy_function=shutil.copyfile)
    shutil.copyfile(STARTER_DIR / "gitignore", folder / ".gitignore")
    shutil.copyfile(STARTER_DIR / "env.example", folder / ".env.example")
    shutil.copyfile(SCHEMA_FILE, folder / SCHEMA_FILE.name)


def _refuse_to_overwrite(targets: list[Path]) -> None:
    there = sorted(target.name for target in targets if target.exists() or target.is_symlink())
    if there:
        raise ProjectError(
            f"already there: {', '.join(there)}; nothing was changed",
            where=Location(display_path(targets[0].parent)),
            remedy="Choose another folder, or move what is there away.",
        )


def _move_entries(entries: list[Path], folder: Path) -> None:
    moved = []
    try:
        for entry in entries:
            entry.rename(folder / entry.name)
            moved.append(entry)
    except BaseException:
        for entry in moved:
            (folder / entry.name).rename(entry)
        raise


def _make_host_label(name: str) -> str:
    """``name`` as a host's label: letters, digits, hyphens."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower())[:MAX_HOST_LABEL_LENGTH].strip("-")
    return label or "newsletter"


def _quote_yaml(text: str) -> str:
    """``text`` as a YAML scalar on one line."""
    import math

    import yaml

    return str(yaml.safe_dump(text, allow_unicode=True, width=math.inf)).split("\n")[0]
