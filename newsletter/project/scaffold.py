"""Create the folder of a new newsletter (``newsletter init``)."""

import re
import secrets
import shutil
import tempfile
from pathlib import Path

from newsletter.errors import Location, ProjectError, display_path
from newsletter.project.folder import CONFIG_NAME

PACKAGE_DIR = Path(__file__).parent.parent
STARTER_DIR = Path(__file__).with_name("starter")
# Dated before every issue that an editor will write, so that it isn't taken for the latest one.
SAMPLE_NAME = "2026-01-01-every-block"
SCHEMA_FILES = (
    PACKAGE_DIR / "config" / "newsletter.schema.json",
    PACKAGE_DIR / "posts" / "front_matter" / "front-matter.schema.json",
)
_WORDS_INTRODUCTION = """\
# The words of emails and public pages. To change one, remove the # before it and before its group.
# For another language, write them into a file named after it: de.yml, pt-BR.yml."""
MAX_HOST_LABEL_LENGTH = 63  # characters (RFC 1035)


def default_templates_dir() -> Path:
    """Return the folder with the templates that a new newsletter starts with."""
    installed = PACKAGE_DIR / "default_templates"
    return installed if installed.is_dir() else PACKAGE_DIR.parent / "templates"


def create_project(
    folder: Path, name: str, address: str | None, *, with_sample: bool = False
) -> None:
    """Create a newsletter's folder atomically; existing files are never overwritten.

    Args:
        folder: the project folder; created if missing, may contain other files.
        name: the newsletter's name, one line.
        address: the sender's address; if not given, a placeholder that cannot be used for sending.
        with_sample: whether to add an issue that shows every block.

    Raises:
        ProjectError: a file or folder that would be created exists already.
    """
    missing_folders = [target for target in (folder, *folder.parents) if not target.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".newsletter-", dir=folder) as staging:
            _write_project_files(Path(staging), name, address)
            if with_sample:
                _write_sample_issue(Path(staging))
            # newsletter.yml is moved last: its presence is what makes a folder a project.
            entries = sorted(Path(staging).iterdir(), key=lambda entry: entry.name == CONFIG_NAME)
            _refuse_to_overwrite([folder / entry.name for entry in entries])
            _move_entries(entries, folder)
    except BaseException:
        for target in missing_folders:
            if target.exists():
                target.rmdir()
        raise


def _write_project_files(folder: Path, name: str, address: str | None) -> None:
    from newsletter.config.safe_yaml import format_inline

    host = f"{_make_host_label(name)}.example"  # RFC 2606: reserved, belongs to nobody
    values = {
        # A number, since two newsletters may have one name.
        "ID": format_inline(f"{_make_host_label(name)[:40].strip('-')}-{secrets.token_hex(3)}"),
        "NAME": format_inline(name),
        "ADDRESS": format_inline(address or f"editor@{host}"),
        "SITE": f"https://{host}",
    }
    settings = (STARTER_DIR / CONFIG_NAME).read_text(encoding="utf-8")
    settings = re.sub("@([A-Z]+)@", lambda match: values[match[1]], settings)
    (folder / CONFIG_NAME).write_text(settings, encoding="utf-8")
    (folder / "issues").mkdir()
    (folder / "issues" / ".gitkeep").touch()
    _write_templates(folder / "templates")
    shutil.copyfile(STARTER_DIR / "gitignore", folder / ".gitignore")
    shutil.copyfile(STARTER_DIR / "env.example", folder / ".env.example")
    for schema in SCHEMA_FILES:
        shutil.copyfile(schema, folder / schema.name)


def _write_templates(folder: Path) -> None:
    """Copy the templates; of the words, write the English ones, each commented out.

    A copy of all would hold back the corrections of later versions.
    """
    source = default_templates_dir()
    shutil.copytree(
        source, folder, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("words")
    )
    (folder / "words").mkdir()
    _, *lines = (source / "words" / "en.yml").read_text("utf-8").splitlines()
    commented = (f"# {line}".rstrip() if line and line[0] != "#" else line for line in lines)
    text = "\n".join([_WORDS_INTRODUCTION, *commented]) + "\n"
    (folder / "words" / "en.yml").write_text(text, encoding="utf-8")


def _write_sample_issue(folder: Path) -> None:
    target = folder / "issues" / SAMPLE_NAME
    shutil.copytree(STARTER_DIR / "sample", target, copy_function=shutil.copyfile)


def _refuse_to_overwrite(targets: list[Path]) -> None:
    existing = sorted(target.name for target in targets if target.exists() or target.is_symlink())
    if existing:
        raise ProjectError(
            f"already exists: {', '.join(existing)}; nothing was changed",
            where=Location(display_path(targets[0].parent)),
            remedy="Choose another folder, or move the existing files away.",
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
    """Return ``name`` as a host name's label: letters, digits, hyphens."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower())[:MAX_HOST_LABEL_LENGTH].strip("-")
    return label or "newsletter"
