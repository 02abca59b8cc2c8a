"""The archive's list: pages, totals, order, columns, saved views, and its queries."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from calls.admin import paging
from calls.admin.archive.columns import COLUMNS, DEFAULT
from calls.models import SavedView, Tag
from tests.console.conftest import logged_in
from tests.factories import (
    CallFactory,
    ProfileFactory,
    UserFactory,
    member_of,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/call/"


def listed(client: Client, query: str = "view=all") -> Any:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return response.context["cl"]


def keys(client: Client, query: str) -> list[Any]:
    return [row.pk for row in listed(client, query).result_list]


def me(client: Client) -> int:
    return int(client.session["_auth_user_id"])


# --- totals and pages -------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words", "pages"),
    [(9, "9", 1), (26, "26", 2), (30, "30", 2), (31, "more than 30", 2)],
)
def test_counts_up_to_a_limit_and_then_says_so(
    operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: str,
    pages: int,
) -> None:
    monkeypatch.setattr(paging, "MOST_ROWS", 30)
    CallFactory.create_batch(number, ended=True)
    found = listed(operator, "rows=25")
    assert found.paginator.total_words == words
    assert found.paginator.num_pages == pages


def test_the_count_stops_at_the_limit(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST_ROWS", 30)
    CallFactory.create_batch(3, ended=True)
    with CaptureQueriesContext(connection) as queries:
        listed(operator)
    counts = [one["sql"] for one in queries if "COUNT(" in one["sql"]]
    assert len([sql for sql in counts if "LIMIT 31" in sql]) == 1
    # The banner counts the calls that wait to be stored, the sidebar the live ones and
    # the open alarms: there are few of each.
    of_few = [sql for sql in counts if "LIMIT 31" not in sql]
    for sql, state in zip(of_few, ("pending", "ringing", "open"), strict=True):
        assert state in sql.partition("WHERE")[2]


@pytest.mark.parametrize("name", ["recording", "participant", "track", "callevent"])
def test_no_other_list_counts_all_of_its_rows(root: Client, name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert root.get(f"/admin/calls/{name}/").status_code == 200
    table = f"calls_{name}"
    counts = [
        one["sql"] for one in queries if "COUNT(" in one["sql"] and table in one["sql"]
    ]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


@pytest.mark.parametrize("rows", [25, 50, 100])
def test_shows_as_many_rows_as_asked_for_and_remembers(
    operator: Client, rows: int
) -> None:
    CallFactory.create_batch(101, ended=True)
    assert len(keys(operator, f"rows={rows}")) == rows
    assert len(keys(operator, "view=all")) == rows
    assert len(keys(operator, "p=2")) == min(rows, 101 - rows)


def test_pages_turn_forward_and_back_and_keep_the_filters(operator: Client) -> None:
    CallFactory.create_batch(60, ended=True, rating=1)
    first = listed(operator, "rows=25&rating=low&sort=-length&q=555")
    assert (first.before, first.after[-3:]) == ("", "p=2")
    second = listed(operator, first.after.removeprefix("?"))
    assert second.page_num == 2
    assert "rating=low" in second.before
    assert "sort=-length" in second.before
    assert "q=555" in second.before
    assert second.rows_words == "26–50 of 60"
    last = listed(operator, second.after.removeprefix("?"))
    assert last.after == ""


def test_pages_together_show_every_call_once(operator: Client) -> None:
    made = CallFactory.create_batch(60, ended=True, completeness=1.0)
    seen = [
        key
        for page in (1, 2, 3)
        for key in keys(operator, f"rows=25&sort=complete&p={page}")
    ]
    assert len(seen) == 60
    assert set(seen) == {call.pk for call in made}


@pytest.mark.parametrize("rows", [25, 100])
@pytest.mark.parametrize("query", ["view=all", "q=555", "alarm_kind=gaps&tag=1"])
def test_asks_the_database_no_more_for_many_rows_than_for_one(
    operator: Client, rows: int, query: str
) -> None:
    tag = Tag.objects.create(name="billing")
    profile = ProfileFactory.create()
    every = f"{query}&rows={rows}"
    numbers = []
    for number in (1, rows - 1):
        for call in CallFactory.create_batch(
            number,
            ended=True,
            profile=profile,
            needs_follow_up=True,
            follow_up_assignee=UserFactory.create(),
        ):
            call.tags.add(tag)
        listed(operator, every)
        with CaptureQueriesContext(connection) as queries:
            listed(operator, every)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]


# --- order ------------------------------------------------------------------------

SORTED: list[tuple[str, str, list[Any]]] = [
    ("length", "duration_ms", [1_000, 2_000, None]),
    ("people", "people_count", [1, 3, None]),
    ("silence", "silence_ratio", [0.1, 0.9, None]),
    ("complete", "completeness", [0.5, 1.0, None]),
    ("rating", "rating", [1, 5, None]),
]


@pytest.mark.parametrize(("column", "field", "values"), SORTED)
def test_sorts_by_figures_with_those_that_lack_them_last(
    operator: Client, column: str, field: str, values: list[Any]
) -> None:
    low, high, none = (
        CallFactory.create(ended=True, **{field: value}).pk for value in values
    )
    assert keys(operator, f"sort={column}") == [low, high, none]
    assert keys(operator, f"sort=-{column}") == [high, low, none]


def test_sorts_by_time_caller_and_alarms(operator: Client) -> None:
    first = CallFactory.create(ended=True, from_raw_id="4:+2", alarm_severity=3).pk
    second = CallFactory.create(ended=True, from_raw_id="4:+1").pk
    for sort in ("rang", "-parties", "-alarms"):
        assert keys(operator, f"sort={sort}") == [first, second]
    for sort in ("-rang", "parties", "alarms"):
        assert keys(operator, f"sort={sort}") == [second, first]


def test_headings_say_how_it_is_sorted_and_sort_the_other_way(
    operator: Client,
) -> None:
    found = {one.name: one for one in listed(operator, "sort=complete").headings}
    assert found["complete"].way == "ascending"
    assert found["complete"].address == "?sort=-complete"
    assert found["length"].address == "?sort=-length"
    assert found["tags"].address == ""


# --- columns ----------------------------------------------------------------------


def columns(client: Client, query: str = "view=all") -> list[str]:
    return [one.name for one in listed(client, query).headings]


def test_shows_the_columns_that_somebody_chose_to_them_alone(
    operator: Client, auditor: Client
) -> None:
    CallFactory.create(ended=True)
    response = operator.post(
        f"{LIST}columns/",
        {"columns": ["rating", "rang", "nonsense"], "query": "rating=5&foo=1"},
    )
    assert response["Location"] == f"{LIST}?rating=5"
    # In the list's order, and never without who it was.
    assert columns(operator) == ["rang", "parties", "rating"]
    assert columns(auditor) == list(DEFAULT)
    operator.post(f"{LIST}columns/", {"reset": "1"})
    assert columns(operator) == list(DEFAULT)


def test_every_column_shows_every_call(operator: Client) -> None:
    operator.post(f"{LIST}columns/", {"columns": list(COLUMNS)})
    call = CallFactory.create(
        ended=True,
        profile=ProfileFactory.create(name="Front desk"),
        rating=4,
        needs_follow_up=True,
        alarm_count=2,
        alarm_severity=3,
        has_transcript=True,
        people_count=3,
        silence_ratio=0.25,
    )
    for name in ("billing", "fraud", "vip", "sales"):
        call.tags.add(Tag.objects.create(name=name))
    CallFactory.create(live=True)
    CallFactory.create(state="failed", archive_state="failed")
    CallFactory.create(alarm_severity=9)
    assert columns(operator) == list(COLUMNS)
    page = operator.get(f"{LIST}?view=all").content.decode()
    for text in (
        "Front desk",
        "4 of 5",
        "nobody yet",
        "25.0 %",
        "billing",
        "+1",
        "UTC",
    ):
        assert text in page


@pytest.mark.parametrize("path", ["columns/", "views/"])
def test_strangers_keep_nothing(stranger: Client, path: str) -> None:
    assert stranger.post(f"{LIST}{path}", {"name": "x"}).status_code == 403
    assert not SavedView.objects.exists()


# --- saved views ------------------------------------------------------------------


def save(client: Client, name: str, **form: Any) -> Any:
    return client.post(f"{LIST}views/", {"name": name, **form})


def test_saves_the_list_as_it_is_and_opens_it_again(operator: Client) -> None:
    call = CallFactory.create(ended=True, rating=1)
    CallFactory.create(ended=True, rating=5)
    response = save(
        operator,
        " Bad ones ",
        query="rating=low&sort=-length&rows=25&p=3&view=7&foo=1",
        columns=["rating", "length"],
    )
    view = SavedView.objects.get()
    assert (view.name, view.owner_id) == ("Bad ones", me(operator))
    assert view.query == "rating=low&sort=-length&rows=25"
    found = listed(operator, response["Location"].partition("?")[2])
    assert [row.pk for row in found.result_list] == [call.pk]
    assert [one.name for one in found.headings] == ["parties", "length", "rating"]
    assert found.list_per_page == 25
    # Its key alone will do, in a message to a colleague.
    assert operator.get(f"{LIST}?view={view.pk}")["Location"] == response["Location"]


def test_a_view_of_the_same_name_is_replaced(operator: Client) -> None:
    save(operator, "Mine", query="rating=1")
    save(operator, "Mine", query="rating=2", shared="1")
    view = SavedView.objects.get()
    assert (view.query, view.is_shared) == ("rating=2", True)


def test_offers_own_and_shared_views_only(operator: Client, auditor: Client) -> None:
    save(auditor, "Theirs, private")
    save(auditor, "Theirs, shared", shared="1")
    save(operator, "Mine")
    page = operator.get(f"{LIST}?view=all").content.decode()
    assert "Theirs, shared" in page
    assert "Mine" in page
    assert "Theirs, private" not in page


def test_a_foreign_private_view_opens_nothing(
    operator: Client, auditor: Client
) -> None:
    save(auditor, "Private", query="rating=1", columns=["rating"])
    view = SavedView.objects.get()
    assert operator.get(f"{LIST}?view={view.pk}").status_code == 200
    assert columns(operator, f"view={view.pk}") == list(DEFAULT)


@pytest.mark.parametrize("verb", ["delete", "share", "default"])
def test_views_of_others_are_left_alone(
    operator: Client, auditor: Client, verb: str
) -> None:
    save(auditor, "Private")
    save(auditor, "Shared", shared="1")
    private, shared = SavedView.objects.order_by("name")
    assert operator.post(f"{LIST}views/{private.pk}/{verb}/").status_code == 404
    assert operator.post(f"{LIST}views/{shared.pk}/{verb}/").status_code == 403
    assert list(SavedView.objects.order_by("name").values_list("is_shared")) == [
        (False,),
        (True,),
    ]


def test_administrators_may_delete_what_is_shared(
    root: Client, auditor: Client
) -> None:
    save(auditor, "Private")
    save(auditor, "Shared", shared="1")
    private, shared = SavedView.objects.order_by("name")
    assert root.post(f"{LIST}views/{shared.pk}/delete/").status_code == 302
    assert root.post(f"{LIST}views/{private.pk}/delete/").status_code == 404
    assert list(SavedView.objects.all()) == [private]


def test_deletes_and_shares_ones_own(operator: Client) -> None:
    save(operator, "Mine")
    view = SavedView.objects.get()
    operator.post(f"{LIST}views/{view.pk}/share/")
    view.refresh_from_db()
    assert view.is_shared
    operator.post(f"{LIST}views/{view.pk}/share/")
    view.refresh_from_db()
    assert not view.is_shared
    operator.post(f"{LIST}views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_the_list_opens_with_the_default_view(
    operator: Client, auditor: Client
) -> None:
    save(operator, "One", query="rating=1", default="1", shared="1")
    save(operator, "Two", query="rating=2")
    one, two = SavedView.objects.order_by("name")
    assert operator.get(LIST)["Location"] == f"{LIST}?rating=1&view={one.pk}"
    # Of its owner alone, and not in place of what is asked for.
    assert auditor.get(LIST).status_code == 200
    assert operator.get(f"{LIST}?view=all").status_code == 200
    assert operator.get(f"{LIST}?live=yes").status_code == 200
    operator.post(f"{LIST}views/{two.pk}/default/")
    assert operator.get(LIST)["Location"] == f"{LIST}?rating=2&view={two.pk}"
    operator.post(f"{LIST}views/{two.pk}/default/")
    assert operator.get(LIST).status_code == 200


@pytest.mark.parametrize("name", ["", "  ", "\0"])
def test_a_view_needs_a_name(operator: Client, name: str) -> None:
    response = save(operator, name, query="rating=1")
    assert response["Location"] == f"{LIST}?rating=1"
    assert not SavedView.objects.exists()


def test_nobody_keeps_views_without_end(operator: Client) -> None:
    owner = me(operator)
    SavedView.objects.bulk_create(
        SavedView(name=f"v{n}", owner_id=owner) for n in range(50)
    )
    save(operator, "one more")
    assert SavedView.objects.count() == 50
    save(operator, "v7", query="rating=1")
    assert SavedView.objects.get(name="v7").query == "rating=1"


@pytest.mark.parametrize("path", ["columns/", "views/", "views/1/delete/", "export/"])
def test_nothing_is_kept_by_looking(operator: Client, path: str) -> None:
    assert operator.get(f"{LIST}{path}").status_code == 405


def test_hostile_names_are_text() -> None:
    client = logged_in(member_of("operator"))
    hostile = "<img src=x onerror=alert(1)>"
    save(client, hostile, query="party=" + hostile)
    CallFactory.create(ended=True).tags.add(Tag.objects.create(name=hostile[:40]))
    page = client.get(f"{LIST}?party={hostile}&q={hostile}").content.decode()
    assert "<img" not in page
    assert "&lt;img" in page
