"""Write newsletter/checks/analysis/client_support.json anew from a copy of caniemail's data.

Usage: client_support.py DATA.json, where DATA.json is https://www.caniemail.com/api/data.json (what
a checkout of https://github.com/hteumeuleu/caniemail builds as api/data.json; MIT license).
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "newsletter" / "checks" / "client_support.json"
# Key of ours -> the family and the platforms there; of several the first that was tested.
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
    """Write the facts, one feature a line, so that a refresh shows what has changed."""
    data = json.loads(source.read_text())
    head = {
        "source": "https://www.caniemail.com",
        "licence": "MIT, © 2019 HTeuMeuLeu",
        "as_of": data["last_update_date"][:10],
        "clients": {key: name for key, (name, _, _) in CLIENTS.items()},
    }
    lines = ",\n".join(
        f"  {json.dumps(one['slug'])}: {json.dumps(_fact(one), ensure_ascii=False)}"
        for one in sorted(data["data"], key=lambda one: str(one["slug"]))
        if one["category"] in _CATEGORIES
    )
    start = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    OUT.write_text(f'{start},\n "features": {{\n{lines}\n }}\n}}\n')


def _fact(feature: Mapping[str, Any]) -> list[str]:
    """The feature's title, when it was last tested, and one letter for each client."""
    letters = (_letter(feature["stats"], family, names) for _, family, names in CLIENTS.values())
    return [feature["title"], feature["last_test_date"], "".join(letters)]


def _letter(stats: Mapping[str, Any], family: str, platforms: tuple[str, ...]) -> str:
    """``y``, ``n``, ``a`` (partly) or ``u`` (unknown), of the newest version that was tested."""
    for platform in platforms:
        tested = stats.get(family, {}).get(platform)
        if tested:
            return str(tested[max(tested, key=_version)])[0]
    return "u"


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
