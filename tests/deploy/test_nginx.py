"""The web process, alone and behind deploy/nginx.conf as it is shipped.

Without nginx that is skipped: apt-get install nginx-light.
"""

import asyncio
import getpass
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from demo.ports import free_port
from tests.preflight.tls import Authority
from tests.streaming.conftest import build as build
from tests.streaming.conftest import migrated as migrated
from tests.streaming.house import ROOT, House, eventually
from tests.streaming.wire import audio, metadata

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PATIENCE = 60
NAME = "console.example.com"
SECRET = "a-secret-of-a-call-that-no-log-may-have"
HEADERS = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Cache-Control",
    "Strict-Transport-Security",
)

needs_nginx = pytest.mark.skipif(
    not Path(NGINX).exists(), reason="no nginx here: apt-get install nginx-light"
)


class Here(aiohttp.abc.AbstractResolver):
    """Finds every host on this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        return [
            aiohttp.abc.ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None: ...


class Proxy:
    """nginx on a port of its own, with the shipped file and another's upstream."""

    def __init__(self, folder: Path, upstream: int) -> None:
        self.folder = folder
        folder.mkdir()
        self.port, self.plain_port = free_port(), free_port()
        authority = Authority("tests")
        pem = authority.issue(folder, NAME)
        shipped = (ROOT / "deploy" / "nginx.conf").read_text()
        for old, new in (
            (r"listen \[::\]:\d+.*;", ""),
            (r"listen 443", f"listen 127.0.0.1:{self.port}"),
            (r"listen 80", f"listen 127.0.0.1:{self.plain_port}"),
            (r"127\.0\.0\.1:800[01]", f"127.0.0.1:{upstream}"),
            (r"/etc/letsencrypt\S+\.pem", str(pem)),
            (r"/var/log/nginx", str(folder)),
            (r"/var/www/html", str(folder)),
        ):
            shipped, count = re.subn(old, new, shipped)
            assert count, old
        (folder / "site.conf").write_text(shipped)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            # Started by root it would become nobody, who reads no folder of ours.
            f"user {getpass.getuser()}; daemon off; pid {folder}/pid;"
            f" error_log {folder}/main.log;"
            f"events {{}} http {{ {temporary} include {folder}/site.conf; }}"
        )
        self.tls = ssl.create_default_context(cadata=authority.pem().decode())

    def start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
        )

    def url(self, path: str, scheme: str = "https") -> str:
        return f"{scheme}://{NAME}:{self.port}{path}"

    def plain_url(self, path: str) -> str:
        return f"http://{NAME}:{self.plain_port}{path}"

    def challenge_put(self, name: str, text: str) -> None:
        """Do what certbot does."""
        challenges = self.folder / ".well-known" / "acme-challenge"
        challenges.mkdir(parents=True)
        (challenges / name).write_text(text)

    def logged(self) -> str:
        logs = (self.folder / name for name in ("acsstream.log", "acsstream-error.log"))
        return "".join(log.read_text() for log in logs)


@pytest.fixture
async def house(build: Callable[..., House]) -> House:
    """A small site: one web process, which takes media, too."""
    house = build(ALLOWED_HOSTS=NAME, ACSSTREAM_BEHIND_PROXY="true")
    house.process = web_process(house)
    await eventually(lambda: listens(house.port), PATIENCE)
    return house


def web_process(house: House) -> "subprocess.Popen[bytes]":
    with house.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "manage.py", "web", "--port", str(house.port)],
            cwd=ROOT,
            env=house.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@pytest.fixture
async def proxy(house: House, tmp_path: Path) -> AsyncIterator[Proxy]:
    async with running(tmp_path / "nginx", house.port) as proxy:
        yield proxy


@asynccontextmanager
async def running(folder: Path, upstream: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(folder, upstream)
    process = proxy.start()
    try:
        await eventually(lambda: listens(proxy.port), PATIENCE)
        yield proxy
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, PATIENCE)


def told(port: int, header: bytes) -> list[str]:
    """Return the lines of the head of what the server answers for a page."""
    request = b"GET /admin/ HTTP/1.1\r\nHost: console.example.com\r\n" + header
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request + b"\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return answer.split(b"\r\n\r\n")[0].decode().split("\r\n")


async def test_the_server_adds_its_headers_and_takes_no_address_from_a_client(
    house: House,
) -> None:
    # Daphne refuses that itself.
    first, *refused = await asyncio.to_thread(told, house.port, b"X: a\x0bb")
    root_path = b"X-Forwarded-Proto: https\r\nDaphne-Root-Path: //elsewhere.example"
    led = await asyncio.to_thread(told, house.port, root_path)

    names = [line.split(":")[0].title() for line in refused]
    assert first.split()[1] == "400"
    # HSTS counts over TLS alone.
    assert [name for name in HEADERS[:-1] if names.count(name.title()) != 1] == []
    assert "Location: /admin/login/?next=/admin/" in led


@needs_nginx
async def test_it_passes_calls_and_pages_and_keeps_their_secrets_to_itself(
    house: House, proxy: Proxy
) -> None:
    connector = aiohttp.TCPConnector(ssl=proxy.tls, resolver=Here())
    async with aiohttp.ClientSession(connector=connector) as client:

        async def answer(path: str) -> tuple[int, list[str]]:
            """Return the status, and which headers there are not exactly one of."""
            async with client.get(proxy.url(path)) as got:
                found = [(name, got.headers.getall(name, [])) for name in HEADERS]
            return got.status, [f"{name}: {at}" for name, at in found if len(at) != 1]

        call = await client.ws_connect(
            proxy.url(f"/media/{SECRET}", "wss"),
            headers={"x-ms-call-connection-id": "acs-1"},
        )
        await call.send_str(metadata())
        for number in range(50):
            await call.send_str(audio(number))
        await call.close()
        await eventually(lambda: house.rows("SELECT 1 FROM calls_audiochunk"), PATIENCE)

        assert await answer("/admin/login/") == (200, [])
        assert await answer("/nowhere/") == (404, [])
        assert await answer("/static/calls/missing.js") == (404, [])
        assert await answer("/metrics") == (403, [])
        assert (await answer("/admin/%ff"))[1] == []
        house.kill()
        assert await answer("/admin/login/") == (502, [])
        assert await answer(f"/media/{SECRET}") == (502, [])
        assert await answer(f"/webhooks/calls/{SECRET}") == (502, [])
        assert await answer(f"/webhooks/eventgrid?secret={SECRET}") == (502, [])

    logged = proxy.logged()
    assert "/media/-" in logged
    assert "/admin/login/" in logged
    assert SECRET not in logged


@needs_nginx
async def test_a_certificate_can_be_renewed_and_all_else_goes_to_https(
    tmp_path: Path,
) -> None:
    connector = aiohttp.TCPConnector(resolver=Here())
    async with (
        running(tmp_path / "nginx", upstream=free_port()) as proxy,
        aiohttp.ClientSession(connector=connector) as client,
    ):
        proxy.challenge_put("token", "what the authority asks for")

        async def answer(path: str) -> tuple[int, str]:
            async with client.get(proxy.plain_url(path), allow_redirects=False) as got:
                return got.status, got.headers.get("Location") or await got.text()

        asked = await answer("/.well-known/acme-challenge/token")
        elsewhere = await answer("/media/secret?a=b")

    assert asked == (200, "what the authority asks for")
    assert elsewhere == (301, f"https://{NAME}/media/secret?a=b")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
