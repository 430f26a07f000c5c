import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping, map_columns

LOCATION = Location("readers.csv", 1)


def map_header(*cells: str, **mapping: str) -> ColumnMapping:
    return map_columns(
        cells, {key.replace("_", " "): role for key, role in mapping.items()}, LOCATION
    )


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "Email",
        "E-mail",
        "EMAIL ADDRESS",
        "email_address",
        " e-mail address ",
        "Subscriber",
    ],
)
def test_address_column_is_found_by_name(name: str) -> None:
    assert map_header("id", name).address == 1


def test_first_and_last_name_are_also_attributes() -> None:
    columns = map_header(
        "Email", "First Name", "Last Name", "Home town!", "Gr\u00f6\u00dfe", "2020", ""
    )
    assert columns.names == (1, 2)
    assert columns.attributes == {
        1: "first_name",
        2: "last_name",
        3: "home_town",
        4: "grosse",
        5: "column_2020",
        6: "column_7",
    }


def test_full_name_takes_precedence_over_first_and_last_name() -> None:
    columns = map_header("email", "first name", "name", "full name")
    assert columns.names == (2,)
    assert columns.attributes == {1: "first_name", 3: "full_name"}


def test_columns_of_status_and_consent_are_not_attributes() -> None:
    columns = map_header(
        "email", "Status", "Subscribed", "unsubscribed_at", "bounced", "CLEAN_TIME"
    )
    assert (columns.status, columns.consent) == ((1,), (2,))
    assert columns.suppressed_if_filled == {3: "unsubscribed", 4: "bounced", 5: "bounced"}
    assert columns.attributes == {}


def test_reserved_attribute_name_gets_a_suffix() -> None:
    assert map_header("email", "token").attributes == {1: "token_2"}
    assert map_header("email", "subscriber").attributes == {1: "subscriber"}


def test_columns_of_the_file_of_rejected_rows_are_ignored() -> None:
    columns = map_header("refused_row", "refused_because", "email", "city")
    assert (columns.address, columns.attributes) == (2, {3: "city"})


def test_explicit_mapping_takes_precedence_over_names() -> None:
    columns = map_header(
        "Contact", "email", "Nick", "Ort", Contact="email", Nick="name", Ort="city"
    )
    assert (columns.address, columns.names) == (0, (2,))
    assert columns.attributes == {1: "email_2", 3: "city"}


def test_single_column_of_addresses_needs_no_header() -> None:
    columns = map_header("ada@example.com")
    assert (columns.header, columns.address, columns.width) == ((), 0, 1)


@pytest.mark.parametrize(
    ("cells", "mapping", "message"),
    [
        (["id", "city"], {}, "no column of email addresses found; the columns are: id, city"),
        (["a@b.com", "Ada"], {}, "the first row is not a header"),
        (["email", "Email Address"], {}, "could be the email address: 'email' and 'Email Address'"),
        (["email", "city", " CITY "], {}, "columns 2 and 3 have the same name"),
        (["email", "Home town", "H\u00f6me town"], {}, "columns 2 and 3 have the same name"),
        (["email", "city"], {"Citty": "town"}, "there is no column 'Citty'"),
        (["email", "city"], {"\u79c1": "town"}, "there is no column"),
    ],
)
def test_invalid_header_is_rejected_with_a_remedy(
    cells: list[str], mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(SubscriberListError) as caught:
        map_columns(cells, mapping, LOCATION)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.remedy
    assert problem.where == LOCATION


@given(st.lists(st.text(max_size=8), max_size=6))
def test_columns_have_unique_roles_and_names(names: list[str]) -> None:
    try:
        columns = map_columns(["email", *names], {}, LOCATION)
    except SubscriberListError:
        return
    keys = list(columns.attributes.values())
    assert len(set(keys)) == len(keys)
    assert all(key.isascii() and key.isidentifier() for key in keys)
    assert columns.address not in columns.attributes
