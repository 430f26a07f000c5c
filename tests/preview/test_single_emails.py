"""Emails to one reader in the preview: the list, their views, saves, tests."""

import sqlite3
from contextlib import closing

import pytest
from preview_server import PreviewClient

from newsletter.preview.rendered_issues import SINGLE_EMAILS
from newsletter.sending.rehearsal import FakeSendGrid

WELCOME = """\
---
subject: Ahoy, {{ subscriber.name | default("friend") }}
preheader: Good to see you
---
Our own text.
"""


@pytest.mark.parametrize("kind", SINGLE_EMAILS)
def test_each_email_has_its_views(served: PreviewClient, kind: str) -> None:
    (entry,) = [e for e in served.data("issues")["emails"] if e["name"] == f"email:{kind}"]
    assert (entry["title"], entry["state"]) == (SINGLE_EMAILS[kind], "off" * (kind == "welcome"))
    query = f"?issue=email:{kind}"
    with served.stream(query) as states:
        proof = next(states)["proof"]
    assert (proof["title"], proof["single"]) == (entry["title"], True)
    page = served.get(f"mail{query}&scheme=dark")
    assert page.status == 200
    assert "sandbox" in page.headers["content-security-policy"]
    inbox = served.data(f"inbox{query}")
    assert inbox["subject"] in served.data(f"source/headers{query}")["raw"]
    for source in ("text", "html"):
        assert "Harbour Notes" in served.data(f"source/{source}{query}")["raw"]
    envelope = served.data(f"envelope{query}")
    assert envelope["locked"]
    assert envelope["fields"]["subject"]["value"] == inbox["subject"]
    assert served.get(f"eml{query}").headers["content-type"] == "message/rfc822"
    assert served.data(f"stripped{query}&client=outlook")["client"]
    for view in ("web", "source/mjml", "source/request", "compare/issue", "next", "findings"):
        assert served.get(f"{view}{query}").status == 404


def test_a_save_of_its_text_or_of_the_words_is_shown(served: PreviewClient) -> None:
    templates = served.workspace.project.templates_dir
    with served.stream("?issue=email:welcome") as states:
        proof = next(states)["proof"]
        assert proof["source"] == "the default text"
        assert (proof["latest"], proof["off"]) == ("none sent yet: left out", True)
        (templates / "welcome.md").write_text(WELCOME)
        proof = next(states)["proof"]
        assert proof["source"].endswith("templates/welcome.md")
        assert not proof["latest"], "it has no place for them"
        envelope = served.data("envelope?issue=email:welcome")
        assert envelope["fields"]["subject"]["value"] == "Ahoy, Sample Reader"
        assert envelope["fields"]["preheader"]["value"] == "Good to see you"
        assert envelope["locked"].endswith("welcome.md")
        (templates / "welcome.md").write_text(f"{WELCOME}\n{{{{ nothing }}}}\n")
        broken = next(states)
        (problem,) = broken["faults"]
        assert (problem["file"].rpartition("/")[2], problem["line"]) == ("welcome.md", 7)
        assert [7, "{{ nothing }}"] in problem["excerpt"]
        assert broken["proof"]["source"].endswith("welcome.md"), "the last good one stays"
        (templates / "welcome.md").unlink()
        assert not next(states)["faults"]
        words = templates / "words" / "en.yml"
        words.write_text(words.read_text().replace("Thanks for reading.", "Hooray!"))
        for _ in states:
            if "Hooray!" in served.data("source/text?issue=email:welcome")["raw"]:
                break


def test_a_changed_issue_may_change_what_the_welcome_email_names(
    served: PreviewClient,
) -> None:
    version = served.workspace.get_state("email:welcome").version
    served.workspace.invalidate([served.workspace.project.issues_dir / "another" / "post.md"])
    assert served.workspace.get_state("email:welcome").version > version


def test_test_email_is_sent_and_leaves_no_trace(
    served: PreviewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = served.workspace.project.root
    with FakeSendGrid() as sendgrid:
        settings = root / "newsletter.yml"
        settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {sendgrid.url}\n")
        monkeypatch.setenv("SENDGRID_API_KEY", sendgrid.key)
        served.workspace.invalidate([settings])
        data = {"issue": "email:erase", "to": "me@example.com, you@example.com"}
        response = served.post("test", data, origin=served.origin)
        assert response.status == 200
        assert response.json()["subject"] == "[TEST] Delete your data from Harbour Notes"
        assert [email.address for email in sendgrid.accepted] == data["to"].split(", ")
        data["issue"] = "email:nothing"
        assert served.post("test", data, origin=served.origin).status == 409
        assert len(sendgrid.requests) == 2
    if (root / "newsletter.db").exists():
        with closing(sqlite3.connect(root / "newsletter.db")) as connection:
            assert not list(connection.execute("SELECT * FROM transactional_email"))
