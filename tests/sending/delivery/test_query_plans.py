"""PostgreSQL reads the recipients of a batch in one process."""

from typing import Any

import sqlalchemy as sa
from send_scenario import SendScenario


def test_recipients_of_a_batch_are_read_without_parallel_processes(scenario: SendScenario) -> None:
    engine = scenario.ledger.engine
    workers = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note_setting(connection: sa.Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if engine.dialect.name == "postgresql" and "subscriber.token" in statement:
            driver: Any = connection.connection.driver_connection
            workers.extend(driver.execute("SHOW max_parallel_workers_per_gather").fetchone())

    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": scenario.total}
    assert workers == (["0"] * 3 if engine.dialect.name == "postgresql" else [])
