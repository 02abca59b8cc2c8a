"""Somebody at the console, before an installation is lost and after it was restored.

Runs in the installation's own environment:

    python -m tests.backup.visitor before BACKUP | after BACKUP SESSION

`before` finishes what is to be finished, signs in, and backs up. `after` looks whether
all of it is there. Prints JSON.
"""

import io
import json
import sys
from typing import Any

import django

django.setup()

from django.contrib.auth import authenticate  # noqa: E402 Django first
from django.core.management import CommandError, call_command  # noqa: E402
from django.test import Client  # noqa: E402

from calls.models import AuditEntry, Prompt, Recording  # noqa: E402
from tests import factories  # noqa: E402
from tests.prompts.sounds import prompt_made  # noqa: E402


def before(backup: str) -> dict[str, Any]:
    recover()
    prompt_made()
    root = factories.UserFactory.create(username="root", is_superuser=True)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(root)
    call_command("backup", backup, stdout=io.StringIO())
    # The entry about the backup is in it, too.
    return facts() | {"session": browser.cookies["sessionid"].value}


def after(backup: str, session: str) -> dict[str, Any]:
    """Tell what was restored, then recover, verify, and come back as the same user."""
    restored = facts()
    recovered = recover()
    verified = io.StringIO()
    call_command("verify_archive", "--json", "--strict", stdout=verified)
    try:
        call_command("restore", backup)
        again = ""
    except CommandError as refusal:
        again = f"{refusal.returncode}: {refusal}"
    audited = io.StringIO()
    call_command("verify_audit", "--json", stdout=audited)
    browser = Client(headers={"host": "localhost"})
    browser.cookies["sessionid"] = session
    heard = browser.get(f"/recordings/{restored['recordings'][0][0]}/audio")
    return restored | {
        "recovered": recovered,
        "verified": json.loads(verified.getvalue().splitlines()[-1])["summary"],
        "audited": json.loads(audited.getvalue().splitlines()[-1])["summary"],
        "again": again,
        "knows_password": authenticate(username="root", password="secret") is not None,
        "page": browser.get("/admin/").status_code,
        "audio": (heard.status_code, b"".join(heard)[:4].decode()),
    }


def facts() -> dict[str, Any]:
    """Tell what rows there are."""
    recordings = Recording.objects.order_by("pk").values_list("pk", "pcm_sha256")
    return {
        "recordings": [[str(pk), sha256] for pk, sha256 in recordings],
        "prompts": list(Prompt.objects.values_list("sha256_24k", flat=True)),
        "audit": AuditEntry.objects.count(),
    }


def recover() -> list[dict[str, Any]]:
    """Run `recover`; a call with an open socket is left alone."""
    said = io.StringIO()
    call_command("recover", "--json", stdout=said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


if __name__ == "__main__":
    told = before(*sys.argv[2:]) if sys.argv[1] == "before" else after(*sys.argv[2:])
    sys.stdout.write(json.dumps(told))
