"""Every state has its words in each of the tables that commands and the preview print from."""

from newsletter.cli.output import STATUS_LABELS
from newsletter.db.schema import RECIPIENT_STATES, SEND_STATES, STATUSES
from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS
from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS


def test_every_state_has_its_words() -> None:
    phases = {"planned", "waiting", "held", "recalled", "uncertain"}
    assert SEND_PHASE_LABELS.keys() == {*SEND_STATES, *phases} - {"frozen"}
    assert RECIPIENT_STATE_LABELS.keys() == {*RECIPIENT_STATES, "recalled"}
    assert STATUS_LABELS.keys() == {*STATUSES}
    for labels in SEND_PHASE_LABELS.values():
        assert all(labels)
