"""Translate web components (AMP, lite players, gists) into HTML."""

import re
from collections.abc import Mapping
from urllib.parse import quote

_GIST = re.compile(
    r"(?:https?:)?//gist\.github\.com/(?P<id>[\w-]+/[\w-]+)(?:\.js)?(?:\?file=(?P<file>[^&#]+))?"
)
_SLIDES = re.compile(r"(?:https?:)?//speakerdeck\.com/assets/embed\.js")
_PLAY_LABEL = re.compile(r"(?:play|watch)(?: video)?\s*:\s*", re.IGNORECASE)
_RENAMED = {
    "amp-img": "img",
    "amp-anim": "img",
    "amp-video": "video",
    "amp-audio": "audio",
    "mjx-container": "span",
    "mjx-math": "span",
    "mjx-assistive-mml": "span",
}
_VIDEO_IDS = ("videoid", "video-id", "data-videoid")
_YOUTUBE = (_VIDEO_IDS, "https://www.youtube.com/embed/{id}")
_VIMEO = (_VIDEO_IDS, "https://player.vimeo.com/video/{id}")
# The attributes that may hold the id, and the player's URL.
_PLAYERS = {
    **dict.fromkeys(("lite-youtube", "amp-youtube", "youtube-embed", "lite-yt-embed"), _YOUTUBE),
    **dict.fromkeys(("lite-vimeo", "amp-vimeo", "vimeo-embed"), _VIMEO),
    "amp-dailymotion": (("data-videoid",), "https://www.dailymotion.com/embed/video/{id}"),
    "amp-twitter": (("data-tweetid",), "https://twitter.com/i/status/{id}"),
    "amp-instagram": (("data-shortcode",), "https://www.instagram.com/p/{id}/"),
    "amp-gist": (("data-gistid",), "https://gist.github.com/{id}"),
    "amp-soundcloud": (("data-trackid",), "https://api.soundcloud.com/tracks/{id}"),
}
_MEDIA_ELEMENT = re.compile(r"(?:[\w.-]+-(?:video|audio)|amp-iframe)")


def rename_component(name: str) -> str:
    """Return the name of the plain element that a component is like; empty if there is none."""
    return _RENAMED.get(name, "")


def make_frame(name: str, attributes: Mapping[str, str]) -> dict[str, str] | None:
    """Return the attributes of an ``iframe`` for a player; ``None`` if it isn't a player."""
    if name in _PLAYERS:
        keys, url = _PLAYERS[name]
        video_id = next((attributes[key] for key in keys if attributes.get(key)), "")
        src = url.format(id=quote(video_id, safe="/?=&-")) if video_id else ""
    else:
        src = attributes.get("src", "").strip() if _MEDIA_ELEMENT.fullmatch(name) else ""
    if not src:
        return None
    label = _PLAY_LABEL.sub("", attributes.get("playlabel", "")).strip()
    title = attributes.get("title") or label or attributes.get("videotitle", "")
    return {"src": src, "title": title} if title else {"src": src}


def make_script_frame(src: str, data_id: str = "") -> dict[str, str] | None:
    """Return the attributes of an ``iframe`` for the script of a gist or of slides."""
    if _SLIDES.match(src.strip()) and data_id:
        return {"src": f"https://speakerdeck.com/player/{quote(data_id)}"}
    found = _GIST.match(src.strip())
    if found is None:
        return None
    url = f"https://gist.github.com/{found['id']}"
    return {"src": url, "title": found["file"] or url.partition("//")[2]}
