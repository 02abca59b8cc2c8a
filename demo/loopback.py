"""HTTP to our own processes: JSON over the loopback, never through a proxy."""

import json
from http.client import HTTPException
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

SECONDS = 10.0
# A probe of what may not be there yet is asked again soon.
PROBE_SECONDS = 1.0


class HttpError(Exception):
    """No answer, or one that says no. `status` is None without an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def opener(cookies: CookieJar | None = None) -> OpenerDirector:
    """Return a client that ignores proxies, and keeps cookies if given a jar."""
    handlers = [HTTPCookieProcessor(cookies)] if cookies is not None else []
    return build_opener(ProxyHandler({}), *handlers)


def fetch(client: OpenerDirector, request: Request, seconds: float = SECONDS) -> bytes:
    """Return the body of the answer. Raises `HttpError`."""
    try:
        with client.open(request, timeout=seconds) as answer:
            body: bytes = answer.read()
            return body
    except HTTPError as exc:
        with exc:
            said = exc.read(2000).decode(errors="replace")
        raise HttpError(f"{exc.code}: {said}", exc.code) from exc
    except (OSError, HTTPException) as exc:
        raise HttpError(str(exc)) from exc


def json_of(url: str, body: object = None) -> Any:
    """GET `url`, or POST `body` to it as JSON; return the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return json.loads(fetch(opener(), _request(url, data, headers)))


def bytes_of(url: str) -> bytes:
    """GET `url`; return the body of the answer. Raises `HttpError`."""
    return fetch(opener(), _request(url, None, {}))


def answers(url: str) -> bool:
    """Say whether GET `url` is answered with success."""
    try:
        fetch(opener(), _request(url, None, {}), PROBE_SECONDS)
    except HttpError:
        return False
    return True


class Operator:
    """Somebody at the console: signs in and presses buttons, as a browser would."""

    def __init__(self, console: str) -> None:
        """Work with the console at this URL."""
        self.console = console
        self._cookies = CookieJar()
        self._client = opener(self._cookies)

    def sign_in(self, name: str, password: str) -> str:
        """Sign in and return the first page. Raises `HttpError`."""
        login = f"{self.console}/admin/login/"
        self.get("/admin/login/")
        form = {
            "username": name,
            "password": password,
            "csrfmiddlewaretoken": self._cookie("csrftoken"),
            "next": "/admin/",
        }
        page = fetch(self._client, _request(login, urlencode(form).encode(), {}))
        if not self._cookie("sessionid"):
            raise HttpError("the console did not let the operator in")
        return page.decode()

    def get(self, path: str) -> bytes:
        """Return a page or a file. Raises `HttpError`."""
        return fetch(self._client, _request(self.console + path, None, {}))

    def order(self, call_id: object, kind: str, **given: str) -> None:
        """Press a call's button. Raises `HttpError` with the console's reason."""
        url = f"{self.console}/calls/{call_id}/commands/{kind}"
        headers = {"X-CSRFToken": self._cookie("csrftoken")}
        fetch(self._client, _request(url, urlencode(given).encode(), headers))

    def _cookie(self, name: str) -> str:
        values = [cookie.value for cookie in self._cookies if cookie.name == name]
        return values[0] or "" if values else ""


def _request(url: str, data: bytes | None, headers: dict[str, str]) -> Request:
    if not url.startswith("http://127.0.0.1:"):
        raise AssertionError("the demo talks to its own processes only")
    return Request(url, data, headers)  # noqa: S310 checked above
