"""A fake SendGrid that follows a fault plan."""

from pathlib import Path

from newsletter.sending.rehearsal.delivery_log import DeliveryLog
from newsletter.sending.rehearsal.fault_plan import HELD_UNTIL_KILL, build_fault_plan
from newsletter.sending.rehearsal.scripted_server import ScriptedFakeSendGrid


def test_one_kill_does_not_pass_for_two_planned_ones(tmp_path: Path) -> None:
    plan = build_fault_plan(["kill", "cut"])
    with (
        DeliveryLog(tmp_path / "log.db") as delivery_log,
        ScriptedFakeSendGrid(delivery_log, plan) as server,
    ):
        assert [server.next_fault().name for _ in range(2)] == ["", "kill"]
        # Requests of the same sender, before it is dead.
        assert [server.next_fault() for _ in range(3)] == [HELD_UNTIL_KILL] * 3
        server.resume_plan()
        assert [server.next_fault().name for _ in range(2)] == ["", "kill"]
        assert server.next_fault() == HELD_UNTIL_KILL
        server.resume_plan()
        assert [server.next_fault().name for _ in range(3)] == ["", "cut", ""]
