"""Sender, subject and preheader: shown, and changed in the post."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from newsletter.config.safe_yaml import INVALID_CHARACTER, load_entries
from newsletter.errors import FileWriteError, Location, PostError, display_path
from newsletter.posts.front_matter.keys import PREHEADER_KEYS, normalize_key
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.front_matter.schema import validate_front_matter
from newsletter.posts.read_issue import read_issue
from newsletter.posts.text_encoding import decode_text
from newsletter.preview.rendered_issues import Rendering
from newsletter.preview.views.source_views import personalize_rendering
from newsletter.project.yaml_edit import YamlEditError, edit_yaml
from newsletter.public_files import write_public_file
from newsletter.render.issue import render_issue
from newsletter.subscribers import Recipient

ENVELOPE_KEYS = ("sender_name", "subject", "preheader")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_YAML_FENCE = re.compile(r"---[ \t]*(?:ya?ml)?[ \t]*", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"\s*[\t\r\n\v\f\x85\u2028\u2029]+\s*")


class EditConflictError(PostError):
    """A post that was saved by somebody else since the page has shown it."""


def hash_text(text: str) -> str:
    """Return the SHA-256 of a post's text, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def build_envelope_data(rendering: Rendering, recipient: Recipient) -> dict[str, Any]:
    """Return what the page's head needs: each value as written, and what is used without it."""
    issue, sender = rendering.issue, rendering.config.sender
    front_matter = split_front_matter(issue.source, str(issue.source_path))
    fields = validate_front_matter(front_matter, str(issue.source_path))
    summary_key = next((key for key in PREHEADER_KEYS[1:] if getattr(fields, key)), "")
    summary = "" if fields.preheader else issue.preheader
    without_subject = replace(rendering.email, subject=issue.post.title, preheader=summary)
    shown = personalize_rendering(
        replace(rendering, rendered=replace(rendering.rendered, email=without_subject)), recipient
    )
    fallbacks = {
        "sender_name": (sender.name or sender.address, "newsletter.yml"),
        "subject": (shown.subject, "title"),
        "preheader": (
            (str(getattr(fields, summary_key)), summary_key)
            if summary_key
            else (shown.preheader, "page")
            if shown.preheader
            else ("", "text")
        ),
    }
    return {
        "file": issue.source_path.name,
        "sha": hash_text(issue.source),
        "locked": _find_obstacle(issue.source_path, front_matter),
        "fields": {
            key: {
                "value": getattr(fields, key),
                "fallback": fallbacks[key][0],
                "from": fallbacks[key][1],
            }
            for key in ENVELOPE_KEYS
        },
    }


def save_envelope_value(rendering: Rendering, key: str, value: str, shown_sha: str) -> None:
    """Set a setting in the front matter of a post; an empty value comments it out.

    The rest of the file stays as it is. Nothing is written unless the issue renders afterwards.

    Args:
        rendering: the issue as the page shows it.
        key: one of ``ENVELOPE_KEYS``.
        value: its new value; line breaks and tabs in it become spaces.
        shown_sha: the hash of the post that the page has shown.

    Raises:
        EditConflictError: the post was saved since.
        PostError: the value is not valid, or the front matter can't be changed from here.
        NewsletterError: the issue would not render.
        FileWriteError: the post can't be written.
    """
    path = rendering.issue.source_path
    value = _LINE_BREAKS.sub(" ", value).strip()
    if INVALID_CHARACTER.search(value):
        raise PostError("there is a control character in it", remedy="Delete it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:  # deleted or renamed since the page has shown it
        raise _make_conflict(path) from error
    except OSError as error:
        raise FileWriteError.from_os_error(error, path) from error
    text = decode_text(data, display_path(path))
    if hash_text(text) != shown_sha:
        raise _make_conflict(path)
    front_matter = split_front_matter(text, display_path(path))
    if obstacle := _find_obstacle(path, front_matter):
        raise PostError(obstacle, where=Location(display_path(path)))
    candidate = _set_in_post(data, path, key, value)
    if candidate == data:
        return
    candidate_text = decode_text(candidate, display_path(path))
    changed = split_front_matter(candidate_text, display_path(path))
    if changed.body != front_matter.body or _without(changed, key) != _without(front_matter, key):
        raise _make_refusal(path, front_matter.lines.get(key))
    issue = read_issue(rendering.issue_dir, rendering.config, source_text=candidate_text)
    render_issue(issue, rendering.rendered.templates, rendering.config)
    if path.read_bytes() != data:  # saved while it was rendered
        raise _make_conflict(path)
    write_public_file(path, candidate, durable=True)


def _find_obstacle(path: Path, front_matter: FrontMatter) -> str:
    """Return why the front matter can't be changed from the page, or an empty text."""
    if front_matter.format not in {"yaml", "none"}:
        syntax = "TOML" if front_matter.format == "toml" else "JSON"
        return f"the front matter is {syntax}: change it in {path.name}"
    if path.is_symlink():
        return f"{path.name} is a symbolic link: change the file that it leads to"
    return ""


def _set_in_post(data: bytes, path: Path, key: str, value: str) -> bytes:
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = data[len(mark) :].decode()
    except UnicodeDecodeError:
        raise PostError(
            "the file is not UTF-8",
            where=Location(display_path(path)),
            remedy="Save it as UTF-8, or change it in your editor.",
        ) from None
    start, end = _find_block(text)
    try:
        names = [entry.key for entry in load_entries(text[start:end]) if not entry.is_merged]
        name = next((name for name in names if normalize_key(name) == key), key)
        block = edit_yaml(text[start:end], {(name,): value or None})
    except YamlEditError as error:
        raise _make_refusal(path, error.line + 1) from error
    if end == 0 and block:  # there is no front matter yet
        line_end = "\r\n" if "\r\n" in text else "\n"
        block = f"---{line_end}{block.rstrip()}{line_end}---{line_end}"
    return mark + (text[:start] + block + text[end:]).encode()


def _find_block(text: str) -> tuple[int, int]:
    """Return where the settings begin and end between their fences; 0, 0 without any."""
    lines = list(_LINE.finditer(text))
    fence = lines[0][0].rstrip()
    if not _YAML_FENCE.fullmatch(fence):
        return 0, 0
    end_fences = {"---", "..."} if fence == "---" else {"---"}
    last = next(line for line in lines[1:] if line[0].rstrip() in end_fences)
    return lines[0].end(), last.start()


def _without(front_matter: FrontMatter, key: str) -> dict[str, Any]:
    return {name: value for name, value in front_matter.data.items() if name != key}


def _make_conflict(path: Path) -> EditConflictError:
    return EditConflictError(f"{path.name} has changed since; the page has been reloaded")


def _make_refusal(path: Path, line: int | None) -> PostError:
    return PostError(
        "this is written in a way that the preview can't change",
        where=Location(display_path(path), line),
        remedy="Change it in your editor.",
    )
