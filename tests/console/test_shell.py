"""The frame around every page: what it may load, and the pages that tell a fault."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.test import Client, override_settings

# Unfold's templates that ours replace whole, each as it was when ours was made.
REPLACED = {
    "admin/actions.html": "b5332aace8e69192",
    "admin/base.html": "2ce9250b3c649e3a",
    "unfold/helpers/empty_results.html": "5f4727a37a99da76",
    "unfold/helpers/header_title.html": "b126ed2ab9ca1680",
    "unfold/helpers/navigation_header.html": "35139b9d94580be9",
    "unfold/helpers/navigation_user.html": "4c9ba58b3f215326",
    "unfold/helpers/theme_switch.html": "c8e659df65f5aa78",
    "unfold/helpers/theme_switch_dropdown.html": "90421e9a3524b57f",
    "unfold/helpers/welcomemsg.html": "e8eab02522ba2319",
    "unfold/layouts/unauthenticated.html": "768501529f1a8dae",
}

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def policy(answer: object) -> dict[str, list[str]]:
    """Return the answer's directives with their sources."""
    header = answer.headers["Content-Security-Policy"]  # type: ignore[attr-defined] # any answer
    rows = (directive.split() for directive in header.split(";"))
    return {name: sources for name, *sources in rows}


def test_a_page_loads_from_here_and_makes_functions_for_unfold_s_alpine(
    operator: Client,
) -> None:
    page = operator.get("/admin/")

    told = policy(page)
    assert told["default-src"] == ["'self'"]
    assert told["script-src"] == ["'self'", "'unsafe-eval'"]
    assert told["object-src"] == told["base-uri"] == ["'none'"]
    assert told["frame-ancestors"] == ["'none'"]
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert "microphone=()" in page.headers["Permissions-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_a_style_made_by_a_script_carries_a_word_that_is_another_on_each_page(
    operator: Client,
) -> None:
    first, second = operator.get("/admin/"), operator.get("/admin/")

    nonce = policy(first)["style-src"][1]
    assert nonce.startswith("'nonce-")
    assert f'content="{nonce[7:-1]}"' in first.content.decode()
    assert policy(second)["style-src"][1] != nonce


@pytest.mark.parametrize("path", ["/nowhere/", "/healthz", "/jsi18n/"])
def test_nothing_else_may_make_functions_of_text(client: Client, path: str) -> None:
    told = policy(client.get(path))

    assert told["script-src"] == told["style-src"] == ["'self'"]


@override_settings(DEBUG=True)
def test_debug_pages_keep_the_style_they_have_inside(client: Client) -> None:
    assert "Content-Security-Policy" not in client.get("/nowhere/").headers


def test_who_may_not_see_a_page_reads_whom_to_ask(stranger: Client) -> None:
    page = stranger.get("/admin/calls/call/")

    assert page.status_code == 403
    assert "An administrator can give it" in page.content.decode()


def test_a_form_that_is_too_old_says_that_nothing_was_done() -> None:
    page = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "root"})

    assert page.status_code == 403
    assert "Nothing was done." in page.content.decode()


def test_what_we_copied_from_unfold_is_still_as_it_was() -> None:
    spec = find_spec("unfold")
    assert spec is not None
    assert spec.origin is not None
    theirs = Path(spec.origin).parent / "templates"
    now = {
        name: hashlib.sha256((theirs / name).read_bytes()).hexdigest()[:16]
        for name in REPLACED
    }

    # If not: take over what changed in the original, then its new hash.
    assert now == REPLACED
