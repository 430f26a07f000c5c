"""The functions that run with the rights of the tables' owner on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role

from newsletter.db import open_database, read_transaction
from newsletter.db.postgresql.owner_functions import OWNER_FUNCTIONS
from newsletter.db.postgresql.recipient_partitions import (
    attach_partition,
    count_partitions,
    create_partition,
    drop_partition,
    find_recipient_table,
    has_partition,
)

# Needs more than 32 bits.
SEND_ID = 5_000_000_000
IS_DEFINER = sa.text(
    "SELECT proname, proowner::regrole::text, has_function_privilege('public', oid, 'EXECUTE') "
    "FROM pg_proc WHERE prosecdef AND proname LIKE 'newsletter%'"
)


@pytest.fixture
def owner(postgres_server: Server) -> Iterator[str]:
    postgres_server.execute('CREATE ROLE "Ada %%s" LOGIN')
    yield "Ada %s"
    postgres_server.execute('DROP ROLE "Ada %%s"')


@pytest.mark.parametrize("schema", ["news", "Ne\"w %s' $$ \\d", "Größe"])
def test_partitions_are_made_in_any_schema_by_an_owner_who_is_no_superuser(
    postgres_server: Server, owner: str, new_postgres_url: str, schema: str
) -> None:
    name = sa.make_url(new_postgres_url).database
    doubled = schema.replace('"', '""')
    with postgres_server.connected(str(name)) as connection:
        sql = f'CREATE SCHEMA "{doubled}" AUTHORIZATION "{owner}"'
        connection.exec_driver_sql(sql.replace("%", "%%"))
    path = '"' + doubled.replace("\\", "\\\\").replace(" ", "\\ ") + '"'
    url = new_postgres_url.replace("postgres@", f"{quote(owner)}@")
    engine = open_database(f"{url}&options={quote('-csearch_path=' + path)}", Path())
    with engine.begin() as connection:
        assert create_partition(connection, SEND_ID) is not None
        attach_partition(connection, SEND_ID)
        assert has_partition(connection, SEND_ID)
        assert count_partitions(connection) == 1
        assert drop_partition(connection, SEND_ID)
    engine.dispose()
    with postgres_server.connected(str(name)) as connection:
        connection.exec_driver_sql('DROP OWNED BY "Ada %%s" CASCADE')


@pytest.mark.usefixtures("owner")
def test_functions_of_tables_that_a_superuser_upgrades_are_their_owners(
    postgres_server: Server, new_postgres_url: str
) -> None:
    name = str(sa.make_url(new_postgres_url).database)
    open_database(new_postgres_url, Path()).dispose()
    with postgres_server.connected(name) as connection:
        connection.exec_driver_sql('GRANT ALL ON SCHEMA public TO "Ada %%s"')
        tables = connection.exec_driver_sql(
            "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace"
        ).scalars()
        for table in tables.all():
            connection.exec_driver_sql(f'ALTER TABLE {table} OWNER TO "Ada %%s"')
        # As after the restore of a dump of an older version over this one.
        connection.exec_driver_sql(
            "ALTER TABLE send_recipient DROP CONSTRAINT ck_send_recipient_reason"
        )
        connection.exec_driver_sql("DROP INDEX ix_send_recipient_send_id")
        connection.exec_driver_sql("UPDATE newsletter_version SET version_num = '0007'")
        open_database(new_postgres_url, Path()).dispose()
        rows = connection.execute(IS_DEFINER).all()
        assert [tuple(row[1:]) for row in rows] == [('"Ada %s"', False)] * len(OWNER_FUNCTIONS)
        connection.exec_driver_sql('DROP OWNED BY "Ada %%s" CASCADE')


def test_functions_use_the_owners_tables_and_postgresqls_operators_only(
    postgres_server: Server, postgres_url: str
) -> None:
    """The defaults of a temporary table, or an operator, would run with the owner's rights."""
    open_database(postgres_url, Path()).dispose()
    name = str(sa.make_url(postgres_url).database)
    with login_in_role(postgres_server, postgres_url, "editor") as url:
        engine = open_database(url, Path())
        with postgres_server.connected(name) as connection:
            # As whoever may make something in the schema: everybody, before PostgreSQL 15.
            connection.exec_driver_sql(
                "CREATE FUNCTION steal(text, bigint) RETURNS text LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'ran as %%', current_user; END $$"
            )
            connection.exec_driver_sql(
                "CREATE OPERATOR || (LEFTARG = text, RIGHTARG = bigint, FUNCTION = steal)"
            )
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TEMPORARY TABLE send_recipient (send_id bigint)")
            connection.execute(sa.select(sa.func.newsletter_create_partition(1)))
            connection.execute(sa.select(sa.func.newsletter_attach_partition(1)))
            columns = (
                "SELECT count(*) FROM pg_attribute WHERE attrelid = 'send_recipient_1'::regclass"
            )
            assert connection.exec_driver_sql(columns).scalar_one() > len(OWNER_FUNCTIONS)
        with engine.begin() as connection, pytest.raises(sa.exc.DBAPIError, match="not a table"):
            connection.execute(sa.select(sa.func.newsletter_analyze("worker")))
        engine.dispose()


def test_roles_script_covers_a_dump_that_was_restored_without_rights(
    postgres_server: Server, postgres_url: str
) -> None:
    name = str(sa.make_url(postgres_url).database)
    engine = open_database(postgres_url, Path())
    with engine.begin() as connection:
        create_partition(connection, 1)
        attach_partition(connection, 1)
    with postgres_server.connected(name) as connection:
        for function in OWNER_FUNCTIONS:
            connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
        with login_in_role(postgres_server, postgres_url, "editor") as url:
            assert not any(row[2] for row in connection.execute(IS_DEFINER))
            editor = open_database(url, Path())
            with read_transaction(editor) as reading:
                assert find_recipient_table(reading, 1).name == "send_recipient_1"
            editor.dispose()
        with login_in_role(postgres_server, postgres_url, "web") as url:
            web = open_database(url, Path())
            with read_transaction(web) as reading:
                assert find_recipient_table(reading, 1).name == "send_recipient"
            web.dispose()
    engine.dispose()
