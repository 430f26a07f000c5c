"""``newsletter doctor`` on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]


def test_complete_project_passes(newsletter: Cli) -> None:
    code, out, err = newsletter("doctor")
    assert code == 0
    assert "25 readers may be mailed" in out
    assert "Next: newsletter doctor --online" in err
    assert all(len(line) <= 80 for line in out.splitlines())


def test_json_contains_every_check_but_not_the_key(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    _, out, _ = newsletter("doctor", "--json")
    data = json.loads(out)
    assert data["fail"] == 0
    assert {"about", "state", "says", "meaning", "next_step", "records"} == set(data["checks"][0])
    assert fake_sendgrid.key not in out


def test_online_checks_ask_the_api(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.sending.doctor import dns

    # Tests must not query real name servers.
    monkeypatch.setattr(dns.DnsResolver, "lookup", lambda *_: [])
    fake_sendgrid.account.scopes.remove("mail.send")
    code, out, _ = newsletter("doctor", "--online")
    assert code == 1
    assert "fail  API: the key lacks mail.send" in out
    assert "DKIM" in out
    assert fake_sendgrid.key not in out


def test_each_missing_dns_record_is_one_line_to_copy(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.sending.doctor import dns

    monkeypatch.setattr(dns.DnsResolver, "lookup", lambda *_: [])
    fake_sendgrid.account.scopes.append("whitelabel.read")
    target = f"s1.domainkey.{'u1234567' * 5}.wl123.sendgrid.net"
    record = {"valid": False, "type": "cname", "data": target}
    fake_sendgrid.account.domains = [
        {
            "domain": "harbour-notes.org",
            "valid": False,
            "dns": {
                "mail_cname": {**record, "host": "em1.harbour-notes.org", "data": "u1.wl"},
                "dkim1": {**record, "host": "s1._domainkey.harbour-notes.org"},
            },
        }
    ]
    _, out, _ = newsletter("doctor", "--online")
    _, json_out, _ = newsletter("doctor", "--online", "--json")
    lines = out.splitlines()
    assert "      em1.harbour-notes.org            CNAME  u1.wl" in lines
    assert f"      s1._domainkey.harbour-notes.org  CNAME  {target}" in lines
    dmarc = "v=DMARC1; p=none; rua=mailto:editor@harbour-notes.org"
    assert f'      _dmarc.harbour-notes.org  TXT    "{dmarc}"' in lines
    records = [record for check in json.loads(json_out)["checks"] for record in check["records"]]
    assert {"host": "_dmarc.harbour-notes.org", "type": "TXT", "value": dmarc} in records
    assert len(records) == 4


def test_invalid_settings_are_reported_as_failures(project_folder: Path, cli: Cli) -> None:
    (project_folder / "newsletter.yml").write_text("name: 3\nsender: nobody\n")
    code, out, _ = cli("doctor")
    assert code == 1
    assert out.count("fail  settings:") >= 2
    assert "newsletter.yml:2" in out
