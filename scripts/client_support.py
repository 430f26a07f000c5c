"""Regenerate newsletter/checks/analysis/client_support.json from caniemail's data.

Usage: client_support.py DATA.json, where DATA.json is https://www.caniemail.com/api/data.json (what
a checkout of https://github.com/hteumeuleu/caniemail builds as api/data.json; MIT license).
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "newsletter/checks/analysis/client_support.json"
# Our key -> name, family and platforms in that data; the first platform that was tested counts.
CLIENTS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "gmail": ("Gmail", "gmail", ("desktop-webmail",)),
    "gmail_app": ("Gmail app", "gmail", ("android", "ios")),
    "outlook": ("Outlook for Windows", "outlook", ("windows",)),
    "outlook_com": ("Outlook.com", "outlook", ("outlook-com",)),
    "apple_mail": ("Apple Mail (iPhone)", "apple-mail", ("ios",)),
    "apple_mail_mac": ("Apple Mail (Mac)", "apple-mail", ("macos",)),
    "yahoo": ("Yahoo Mail", "yahoo", ("desktop-webmail",)),
    "samsung": ("Samsung Email", "samsung-email", ("android",)),
    "thunderbird": ("Thunderbird", "thunderbird", ("macos", "windows")),
}
_CATEGORIES = frozenset({"css", "html", "image"})


def main(source: Path) -> None:
    """Write the file, one feature per line, so that a diff shows what has changed."""
    data = json.loads(source.read_text())
    head = {
        "source": "https://www.caniemail.com",
        "licence": "MIT, © 2019 HTeuMeuLeu",
        "as_of": data["last_update_date"][:10],
        "clients": {key: name for key, (name, _, _) in CLIENTS.items()},
    }
    lines = ",\n".join(
        f"  {json.dumps(feature['slug'])}: {json.dumps(_summarize(feature), ensure_ascii=False)}"
        for feature in sorted(data["data"], key=lambda feature: str(feature["slug"]))
        if feature["category"] in _CATEGORIES
    )
    start = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    OUT.write_text(f'{start},\n "features": {{\n{lines}\n }}\n}}\n')


def _summarize(feature: Mapping[str, Any]) -> list[str]:
    """Return the feature's title, the date of its last test, and one letter per client."""
    letters = (
        _get_support(feature["stats"], family, names) for _, family, names in CLIENTS.values()
    )
    return [feature["title"], feature["last_test_date"], "".join(letters)]


def _get_support(stats: Mapping[str, Any], family: str, platforms: tuple[str, ...]) -> str:
    """Return ``y``, ``n``, ``a`` (partly) or ``u`` (unknown) for the newest tested version."""
    for platform in platforms:
        tested = stats.get(family, {}).get(platform)
        if tested:
            return str(tested[max(tested, key=_version)])[0]
    return "u"


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
