"""Import from any source: a URL, a file, a folder."""

from typing import TYPE_CHECKING

from newsletter.cli.issue.importing.import_collection import import_collection
from newsletter.cli.issue.importing.import_request import ImportRequest, get_source_settings, is_url

if TYPE_CHECKING:
    from newsletter.project import Project


def import_source(project: "Project", request: ImportRequest) -> int | None:
    """Import the chosen posts of a source and print what was done.

    Args:
        project: the editor's folder.
        request: what the user typed.

    Returns:
        The exit code; ``None`` if the source is one post, which is imported on its own.

    Raises:
        NewsletterError: the source can't be read, or the options don't fit it.
    """
    from newsletter.cli.issue.importing.import_url import import_url
    from newsletter.posts.importing.open_source import open_source

    if is_url(request.sources[0]):
        return import_url(project, request)
    settings = get_source_settings(project, request.base_url, lists_only=request.list_only)
    collection = open_source(request.sources, settings)
    if collection is None:
        return None
    request.refuse_single_options(collection.description)
    return import_collection(project, collection, request)
