"""200 live calls, stopped by one bulk action on a real installation under a rate limit.

Web, ingest, worker, beat, Redis and the emulator are processes of their own; what is
pressed is pressed by HTTP, as a browser would.
"""

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from demo.ports import free_port
from tests.control.bench import emulator
from tests.faults.places import Crew, Redis
from tests.faults.test_orders import Acs, shell
from tests.streaming.house import PATIENCE, ROOT, House, eventually

CALLS = 200
# ACS's limit, and ours: half, because a machine that stands still for a moment lets
# what was sent evenly arrive at once. Questions beside orders are paced as well.
LIMIT = 60
RATE = 30
SECRET = "of event grid"

BEGIN = """
from django.contrib.auth.models import User
from calls.models import CallState, CommandKind, StreamingProfile
from calls.placing import call_place
user = User.objects.create_superuser("root", password="of the tests")
default = StreamingProfile.objects.create(name="Usual", is_default=True)
for number in range({calls}):
    target = f"8:acs:r_{{number}}"
    call_place(target=target, caller_id="", profile=None, asked_by=user)
"""


class Console:
    """Somebody who is signed in and presses buttons."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        # As browsers do: what only looks is asked again when a busy server hangs up.
        again = Retry(total=1, status=0, allowed_methods={"GET"}, backoff_factor=0.5)
        self.session.mount("http://", HTTPAdapter(max_retries=again))

    def sign_in(self) -> None:
        self.press("/admin/login/", username="root", password="of the tests")
        assert "sessionid" in self.session.cookies

    def get(self, path: str) -> str:
        answer = self.session.get(f"{self.url}{path}", timeout=PATIENCE)
        assert answer.status_code == 200, path
        return answer.text

    def press(self, path: str, **form: Any) -> requests.Response:
        self.session.get(f"{self.url}/admin/login/", timeout=PATIENCE)
        token = self.session.cookies["csrftoken"]
        answer = self.session.post(
            f"{self.url}{path}",
            data={"csrfmiddlewaretoken": token} | form,
            headers={"Referer": self.url},
            timeout=3 * PATIENCE,
        )
        assert answer.status_code in (200, 201), path
        return answer


@pytest.fixture
def public() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def acs(public: str) -> Iterator[dict[str, Any]]:
    hook = f"{public}/webhooks/eventgrid?secret={SECRET.replace(' ', '%20')}"
    options = ("--speed", "1", "--rate-limit", str(LIMIT), "--packets", "sparse")
    with emulator(*options, "--eventgrid-url", hook) as facts:
        yield facts


@pytest.fixture
def house(
    build: Callable[..., House], tmp_path: Path, acs: dict[str, Any], public: str
) -> Iterator[House]:
    redis = Redis(tmp_path).start()
    house = build(
        REDIS_URL=redis.url,
        ALLOWED_HOSTS="127.0.0.1",
        ACSSTREAM_ACS_ENDPOINT=acs["url"],
        ACSSTREAM_ACS_ACCESS_KEY=acs["access_key"],
        ACSSTREAM_ACS_RESOURCE_ID=acs["resource_id"],
        ACSSTREAM_ACS_OPENID_URL=(
            f"{acs['url']}/calling/.well-known/acsopenidconfiguration"
        ),
        ACSSTREAM_PUBLIC_URL=public,
        ACSSTREAM_EVENTGRID_SECRET=SECRET,
        ACSSTREAM_ACS_RATE=str(RATE),
        ACSSTREAM_COMMAND_TIMEOUT="60",
        ACSSTREAM_TOTP_ROLES="none",
    ).start()
    house.env["ACSSTREAM_MEDIA_URL"] = f"ws://127.0.0.1:{house.port}"
    with (tmp_path / "web.log").open("wb") as log:
        web = subprocess.Popen(
            [*WEB, "-p", public.rpartition(":")[2], "acsstream.asgi:application"],
            cwd=ROOT,
            env=house.env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        yield house
        web.terminate()
        web.wait(PATIENCE)
    redis.kill()


WEB = (sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1")


@pytest.fixture
def crew(house: House) -> Iterator[Crew]:
    crew = Crew(house)
    crew.beat()
    crew.worker()
    yield crew
    crew.close()


@pytest.mark.usefixtures("crew")
async def test_200_calls_are_stopped_by_one_bulk_action(
    house: House, acs: dict[str, Any], public: str
) -> None:
    shell(house, BEGIN.format(calls=CALLS) + "\nprint('begun')")
    await eventually(lambda: streaming(house) == {"streaming": CALLS}, 90)
    console = Console(public)
    console.sign_in()
    # One call of them is stopped already, and the preview has to say so.
    [first, *others] = ids(house)
    console.press(f"/calls/{first}/commands/stop_streaming")
    await eventually(lambda: streaming(house).get("stopped") == 1)

    preview = console.press(
        "/admin/calls/call/", action="stop_streaming", _selected_action=ids(house)
    ).text
    assert re.search(rf"Stop streaming: {CALLS - 1}\s+calls", preview)
    assert "The call is not being streamed." in preview
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', preview)
    form = {name: html.unescape(value) for name, value in fields}
    assert set(form["agreed"].split(",")) == set(others)
    form.pop("csrfmiddlewaretoken", None)
    page = console.press("/admin/calls/call/bulk/stop_streaming/", **form).text
    assert f"{CALLS - 1}" in page
    bulk = form["bulk_id"].replace("-", "")
    await eventually(lambda: "queued" not in states(house, bulk), 90)
    await eventually(lambda: "sent" not in states(house, bulk))

    assert states(house, bulk) == {"confirmed": CALLS - 1}
    assert streaming(house) == {"stopped": CALLS}
    emulated = Acs(acs["url"])
    health = emulated.ask("health")
    assert health["streaming"] == 0
    refused = {
        operation: statuses["429"]
        for operation, statuses in health["requests"].items()
        if "429" in statuses
    }
    assert refused == {}
    assert health["requests"]["stopMediaStreaming"] == {"202": CALLS}


def ids(house: House) -> list[str]:
    rows = house.rows("select id from calls_call order by rang_at")
    raw = [str(row["id"]).replace("-", "") for row in rows]
    return [f"{a[:8]}-{a[8:12]}-{a[12:16]}-{a[16:20]}-{a[20:]}" for a in raw]


def streaming(house: House) -> dict[str, int]:
    """Return how many calls are shown in which state of streaming."""
    rows = house.rows(
        "select streaming_state as state, count(*) as n from calls_call group by 1"
    )
    return {row["state"]: row["n"] for row in rows}


def states(house: House, bulk: str) -> dict[str, int]:
    """Return how many commands of a bulk action are in which state."""
    rows = house.rows(
        "select state, count(*) as n from calls_streamcommand"
        " where bulk_id = ? group by 1",
        bulk,
    )
    return {row["state"]: row["n"] for row in rows}
