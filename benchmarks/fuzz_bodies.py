"""Hostile bodies, with true secrets and true tokens, at a real web process."""

import http.client
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fuzz_makers import Maker, callbacks, ringing
from benchmarks.fuzz_seen import Seen, Watched

LINES = 4
# Of four bodies one is Event Grid's.
RINGING = 4
# 429: refused so often that the source is to wait.
ALLOWED = {"200", "400", "403", "413", "429"}
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls are told of: the path with its secret, and the call's connection."""

    path: str
    connection_id: str


@dataclass(slots=True)
class Line:
    """One peer, which posts a body after the other."""

    port: int
    share: int
    seed: int
    targets: list[Target]
    eventgrid: str
    token: Callable[[], str]
    taken: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    fault: str = ""

    def run(self) -> None:
        """Post until the share is taken; note why, if that cannot be."""
        # Nothing has to be true first, as metadata before audio has.
        shares = {"true_share": 0.02, "text_share": 0.85}
        makers = [
            Maker(self.seed * 100_003 + number, callbacks(one.connection_id), **shares)
            for number, one in enumerate(self.targets)
        ]
        ring = Maker(self.seed, ringing, **shares)
        peer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            while self.taken < self.share:
                if self.taken % RINGING == 0:
                    path, body = self.eventgrid, ring.next()
                else:
                    at = self.taken % len(self.targets)
                    path, body = self.targets[at].path, makers[at].next()
                self._post(peer, path, body)
        except (OSError, http.client.HTTPException) as exc:
            self.fault = f"a request was not answered: {type(exc).__name__} {exc}"
        finally:
            peer.close()

    def _post(self, peer: http.client.HTTPConnection, path: str, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.token()}"}
        peer.request("POST", path, body, headers)
        answer = peer.getresponse()
        answer.read()
        self.answers[str(answer.status)] += 1
        self.taken += 1


def fuzz_bodies(
    port: int,
    process: Watched,
    bodies: int,
    seed: int,
    targets: list[Target],
    *,
    eventgrid: str,
    token: Callable[[], str],
) -> Seen:
    """Post so many bodies to the web process on `port`; return what became of it."""
    seen = Seen("bodies", bodies)
    share = -(-bodies // LINES)
    parts = [targets[number::LINES] for number in range(LINES)]
    lines = [
        Line(port, share, seed + number, part, eventgrid, token)
        for number, part in enumerate(parts)
    ]
    seen.watch(process, lines, spare=SPARE, fast=5_000)
    for line in lines:
        seen.answers.update(line.answers)
    strange = {status: n for status, n in seen.answers.items() if status not in ALLOWED}
    if strange:
        seen.faults.append(f"answers that must not be: {strange}")
    seen.judge(process)
    return seen


# Connections to database and Redis, opened with the first requests.
SPARE = 40
