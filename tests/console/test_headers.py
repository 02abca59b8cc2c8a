"""The headers of every answer, asked of every route there is."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLResolver, get_resolver

from calls.models import Recording
from tests.factories import ProcessFactory, UserFactory

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=3600",
}
# What a browser may keep without asking again, and why that gives nobody away.
KEPT = {
    "/jsi18n/": "texts of our scripts, the same for all",
    "/admin/jsi18n/": "texts of Django's scripts, the same for all",
}

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _as_behind_tls(settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 3600
    settings.ROOT_URLCONF = "tests.console.site_urls"
    # Static files from where they lie.
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True


def browser(user: Any = None) -> Client:
    one = Client(enforce_csrf_checks=True, raise_request_exception=False)
    if user:
        one.force_login(user)
    return one


def faults(answer: HttpResponseBase, expected: dict[str, str] = EXPECTED) -> list[str]:
    """Return which headers the answer lacks, in words."""
    wrong = [
        f"{name}: {answer.get(name)}"
        for name, value in expected.items()
        if answer.get(name) != value
    ]
    policy = str(answer.get("Content-Security-Policy"))
    if "default-src 'self'" not in policy or "frame-ancestors 'none'" not in policy:
        wrong.append(f"Content-Security-Policy: {policy}")
    if "microphone=(" not in str(answer.get("Permissions-Policy")):
        wrong.append(f"Permissions-Policy: {answer.get('Permissions-Policy')}")
    return wrong


def is_kept(answer: HttpResponseBase) -> bool:
    """Say whether a browser, or a proxy, may show the answer again unasked."""
    told = str(answer.get("Cache-Control"))
    asks = "no-store" in told or "no-cache" in told or "must-revalidate" in told
    return not (asks and "private" in told)


def addresses(patterns: Any, before: str = "") -> Iterator[str]:
    """Yield the pattern of every route there is, whoever added it."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, f"{before}{one.pattern}")
        else:
            yield f"{before}{one.pattern}"


def address(pattern: str, recording: Recording) -> str:
    """Return an address that the route's pattern takes: of a row, if there is one."""
    known: dict[str, object] = {
        "recording_id": recording.pk,
        "call_id": recording.call_id,
    }
    if model := re.match(r"admin/(\w+)/(\w+)/.*<path:object_id>", pattern):
        row = apps.get_model(model[1], model[2])._default_manager.first()
        known["object_id"] = row.pk if row else 7

    def value(part: re.Match[str]) -> str:
        return str(known.get(part[2], UUID(int=7) if part[1] == "uuid:" else 7))

    # Of a regular expression, the first of the alternatives; or nothing of it.
    text = re.sub(r"\(\?P<\w+>([\w]*)[^()]*\)", r"\1", pattern)
    return "/" + re.sub(r"<(\w+:)?(\w+)>", value, re.sub(r"[\^$]", "", text))


def test_every_route_answers_everybody_with_the_headers(recording: Recording) -> None:
    ProcessFactory.create()
    routes = list(addresses(get_resolver().url_patterns))
    root = browser(UserFactory.create(is_superuser=True))
    stranger, wrong, seen = browser(), {}, set()

    for path in {address(route, recording): None for route in routes}:
        refused = root.post(path, b"[]", "application/json", secure=True)
        for answer in (
            stranger.get(path, secure=True),
            root.get(path, secure=True),
            refused,
        ):
            seen.add(answer.status_code)
            found = faults(answer)
            if is_kept(answer) and path not in KEPT:
                found.append(f"Cache-Control: {answer.get('Cache-Control')}")
            if found:
                wrong[f"{path} {answer.status_code}"] = found

    assert wrong == {}
    assert len(routes) > 150
    assert seen >= {200, 302, 401, 403, 404, 405, 500}


def test_a_part_of_a_recording_has_them_too(recording: Recording) -> None:
    root = browser(UserFactory.create(is_superuser=True))
    path = f"/recordings/{recording.pk}/audio"

    for wanted, status in (("bytes=0-99", 206), ("bytes=99999999-", 416)):
        answer = root.get(path, secure=True, headers={"range": wanted})
        assert (answer.status_code, faults(answer)) == (status, [])
        assert not is_kept(answer)


def test_a_static_file_has_them_too() -> None:
    with closing(browser().get("/static/calls/text.js", secure=True)) as answer:
        assert (answer.status_code, faults(answer)) == (200, [])


def test_what_is_refused_before_the_pages_has_them_too(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    strange = browser().get("/admin/", headers={"host": "elsewhere.example"})
    plain = browser().get("/admin/")

    # Neither is told over TLS, where alone HSTS counts.
    expected = {k: v for k, v in EXPECTED.items() if not k.startswith("Strict")}
    assert (strange.status_code, plain.status_code) == (400, 301)
    assert faults(strange, expected) == faults(plain, expected) == []
