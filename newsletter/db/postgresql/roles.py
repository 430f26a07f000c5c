"""Roles of PostgreSQL with the least rights for what they do, as SQL."""

import textwrap
from collections.abc import Mapping

from newsletter.db.postgresql.owner_functions import OWNER_FUNCTIONS
from newsletter.db.schema import VERSION_TABLE, metadata

_ALL = "SELECT, INSERT, UPDATE, DELETE"
_APPEND = "SELECT, INSERT"
_REPLACE = "SELECT, INSERT, DELETE"
# What a command other than `db upgrade` does nowhere. Entries of the journal are deleted with their
# subscriber, by the foreign key, for which the rights of the table's owner count.
_EDITOR = dict.fromkeys(metadata.tables, _ALL) | {
    "journal": _APPEND,
    "erased": _REPLACE,
    "unreadable_event": _REPLACE,
}
# Of the site: it makes no send and no batch, but its webhook settles them, and an erasure removes
# the address from them.
_WEB = (
    dict.fromkeys(metadata.tables, "SELECT")
    | dict.fromkeys(
        (
            "address_change",
            "event",
            "rate_limit",
            "refused_signup",
            "setting",
            "subscriber",
            "subscriber_tag",
            "suppression",
            "transactional_email",
            "unsubscribe_reason",
        ),
        _ALL,
    )
    | {"journal": _APPEND, "erased": _REPLACE, "unreadable_event": _REPLACE}
    | dict.fromkeys(("attempt", "batch", "send", "send_recipient"), "SELECT, UPDATE")
    | dict.fromkeys(("attribute", "provider_pause", "rate_bucket"), "SELECT, INSERT, UPDATE")
)
_READER = dict.fromkeys(metadata.tables, "SELECT")
ROLES: Mapping[str, Mapping[str, str]] = {"editor": _EDITOR, "web": _WEB, "reader": _READER}
# procrastinate's own, for the worker, which runs as an editor.
JOB_QUEUE_TABLES = (
    "procrastinate_periodic_defers",
    "procrastinate_events",
    "procrastinate_jobs",
    "procrastinate_workers",
)


def roles_script(prefix: str) -> str:
    """Return SQL that makes the roles and sets their rights; it may be run again.

    To be run in the newsletter's database, after its tables were made or upgraded.

    Args:
        prefix: the beginning of the roles' names: lower-case letters, digits and underscores.
    """
    names = {role: f"{prefix}_{role}" for role in ROLES}
    everybody = ", ".join(names.values())
    tables = ", ".join([*metadata.tables, VERSION_TABLE, *JOB_QUEUE_TABLES])
    sequences = ", ".join(
        f"{table.name}_id_seq"
        for table in metadata.tables.values()
        if (column := table.autoincrement_column) is not None and column.name == "id"
    )
    queue_sequences = ", ".join(f"{name}_id_seq" for name in JOB_QUEUE_TABLES)
    functions = ", ".join(OWNER_FUNCTIONS)
    statements = [
        *(_create_role(name) for name in names.values()),
        _grant_access(everybody),
        f"REVOKE ALL ON {tables} FROM {everybody}",
        f"GRANT SELECT ON {VERSION_TABLE} TO {everybody}",
        *(
            f"GRANT {rights} ON {', '.join(_tables_with(rights, granted))} TO {names[role]}"
            for role, granted in ROLES.items()
            for rights in dict.fromkeys(granted.values())
        ),
        f"GRANT {_ALL} ON {', '.join(JOB_QUEUE_TABLES)} TO {names['editor']}",
        f"GRANT USAGE ON SEQUENCE {queue_sequences} TO {names['editor']}",
        f"GRANT USAGE ON SEQUENCE {sequences} TO {names['editor']}, {names['web']}",
        _grant_on_partitions(names),
        # A dump that was restored without its rights lets the public execute them.
        f"REVOKE ALL ON FUNCTION {functions} FROM PUBLIC, {everybody}",
        f"GRANT EXECUTE ON FUNCTION {functions} TO {names['editor']}",
    ]
    lines = "".join(f"{_wrap(statement)};\n" for statement in statements)
    return f"BEGIN;\n{lines}COMMIT;\n"


def _tables_with(rights: str, granted: Mapping[str, str]) -> list[str]:
    return [table for table, wanted in granted.items() if wanted == rights]


def _create_role(name: str) -> str:
    return (
        "DO $$ BEGIN\n"
        f"  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN\n"
        f"    CREATE ROLE {name} NOLOGIN;\n"
        "  END IF;\n"
        "END $$"
    )


def _grant_access(names: str) -> str:
    return (
        "DO $$ BEGIN\n"
        f"  EXECUTE format('GRANT CONNECT ON DATABASE %I TO {names}', current_database());\n"
        f"  EXECUTE format('GRANT USAGE ON SCHEMA %I TO {names}', current_schema());\n"
        "END $$"
    )


def _grant_on_partitions(names: Mapping[str, str]) -> str:
    """Return the statement that sets the rights on the tables of the large sends that there are."""
    grants = {name: ROLES[role]["send_recipient"] for role, name in names.items()}
    lines = [
        "DO $$ DECLARE partition regclass; BEGIN",
        "  FOR partition IN",
        "    SELECT inhrelid FROM pg_inherits WHERE inhparent = 'send_recipient'::regclass",
        "  LOOP",
        *(f"    EXECUTE format('REVOKE ALL ON %s FROM {name}', partition);" for name in grants),
        *(
            f"    EXECUTE format('GRANT {rights} ON %s TO {name}', partition);"
            for name, rights in grants.items()
        ),
        "  END LOOP;",
        "END $$",
    ]
    return "\n".join(lines)


def _wrap(statement: str) -> str:
    """Wrap a statement at 80 columns, unless it has lines of its own."""
    if "\n" in statement:
        return statement
    return textwrap.fill(statement, 78, subsequent_indent="  ", break_on_hyphens=False)
