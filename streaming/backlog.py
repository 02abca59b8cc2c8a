"""How much waits in this node's journal folder, looked at every few seconds."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from calls.journals.backlog import journal_backlog
from calls.live.ingest import LiveBacklog
from streaming.tasks import tasks_end

EVERY: Final = 10.0

log = logging.getLogger(__name__)


class BacklogWatch:
    """Keeps `now`, None until it has looked once. A slow disk holds up nobody else."""

    def __init__(self, folder: Path) -> None:
        self.now: LiveBacklog | None = None
        self._folder = folder
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="recorder-backlog")

    async def stop(self) -> None:
        """Look no more."""
        await tasks_end(self._task)

    async def _look(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(journal_backlog, self._folder)
                self.now = {
                    "waiting": found.waiting,
                    "size": found.size,
                    "oldest_at": found.oldest_at,
                }
            except OSError as exc:
                log.warning("the journal folder cannot be listed: %s", exc.strerror)
            await asyncio.sleep(EVERY)
