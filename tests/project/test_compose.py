"""docker-compose.yml, Dockerfile and .env.example fit the code they start."""

import re
import shlex
from collections.abc import Callable
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.app.amqp import Queues
from celery.bin.worker import worker as celery_worker
from django.core.management import get_commands
from kombu import Queue

from acsstream.env import Env
from acsstream.settings import LONGEST_DRAIN, env
from scripts import env_example

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
OURS = ("web", "ingest", "worker", "recordings", "beat", "migrate")
# Known to the images of others, or to the emulator.
FOREIGN = re.compile(r"POSTGRES_(USER|PASSWORD|DB)|ACSEMU_[A-Z_]+")


def is_known(name: str) -> bool:
    return name in env.variables or bool(FOREIGN.fullmatch(name))


def command(service: str) -> list[str]:
    """Return what a service runs: its own command, or the image's."""
    [default] = re.findall(r"^CMD (\[.+\])$", DOCKERFILE, flags=re.MULTILINE)
    return list(SERVICES[service].get("command") or yaml.safe_load(default))


def is_runnable(words: list[str]) -> bool:
    """Say whether the modules and management commands in `words` exist."""
    match words:
        case ["python", "manage.py", name, *_]:
            return name in get_commands()
        case ["python", "-m", module, *_]:
            return find_spec(f"{module}.__main__") is not None
        case ["celery", "-A", module, _, *_]:
            return find_spec(f"{module}.celery") is not None
        case ["daphne", *_, target]:
            return find_spec(target.split(":")[0]) is not None
        case _:
            return False


def test_every_process_is_a_service() -> None:
    assert set(SERVICES) == {*OURS, "redis", "postgres", "emulator"}


@pytest.mark.parametrize("service", [*OURS, "emulator"])
def test_every_service_runs_something_that_exists(service: str) -> None:
    assert is_runnable(command(service))


@pytest.mark.parametrize("service", SERVICES)
def test_every_environment_variable_is_one_that_something_reads(service: str) -> None:
    given = SERVICES[service].get("environment", {})

    assert [name for name in given if not is_known(name)] == []


def test_every_variable_in_the_compose_file_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))

    assert used <= set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE))


def test_no_setting_is_given_behind_the_back_of_the_environment_file() -> None:
    given = SERVICES["web"]["environment"]

    # The volume's place is the compose file's own.
    names = {name: rf"\$\{{{name}:?-" for name in given}
    fixed = {name for name in given if not re.match(names[name], given[name])}
    assert fixed == {"ACSSTREAM_DATA_DIR"}


def interpolated(value: str, told: dict[str, str]) -> str:
    """Return a value as Compose gives it to a container: `${A:-or}` or `${A-or}`."""
    found = re.fullmatch(r"\$\{([A-Z_]+)(:?)-(.*)\}", value)
    if not found:
        return value
    name, colon, otherwise = found.groups()
    is_given = bool(told.get(name)) if colon else name in told
    return told[name] if is_given else otherwise


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_secret_comes_from_the_shell_or_left_empty_from_its_file(
    name: str, tmp_path: Path
) -> None:
    value = SERVICES["web"]["environment"][name]
    (tmp_path / "secret").write_text("of the file", encoding="utf-8")
    files = {f"{name}_FILE": str(tmp_path / "secret")}

    shell = Env({name: interpolated(value, {name: "of the shell"})})
    empty = Env({name: interpolated(value, {name: ""}), **files})

    assert shell.secret(name, purpose="") == "of the shell"
    assert (empty.secret(name, purpose=""), empty.problems) == ("of the file", [])


@pytest.mark.parametrize("told", [{}, {"ACSSTREAM_NODE": ""}])
def test_no_container_is_a_node_of_its_own(told: dict[str, str]) -> None:
    given = SERVICES["ingest"]["environment"]["ACSSTREAM_NODE"]

    assert interpolated(given, told) == "node-1"


def test_the_examples_comments_are_the_settings_purposes() -> None:
    # Not so? `make fix` writes them.
    assert env_example.example(EXAMPLE, env.variables.values()) == EXAMPLE


def test_the_example_has_every_setting_and_no_other() -> None:
    shown = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE))

    assert shown - {"POSTGRES_PASSWORD"} == set(env.variables)


def test_the_examples_defaults_are_the_settings_defaults() -> None:
    general = EXAMPLE.split("# --- Without an Azure account")[0]
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", general, flags=re.MULTILINE))

    assert shown == {name: env.variables[name].default for name in shown}


def test_the_example_holds_no_secret() -> None:
    general = EXAMPLE.split("# --- Without an Azure account")[0]
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", general, flags=re.MULTILINE))

    assert given == {
        "ACSSTREAM_BEHIND_PROXY": "true",
        "ACSSTREAM_TRUSTED_PROXIES": "172.16.0.0/12",
    }


def test_no_comment_is_part_of_a_value_to_systemd() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")

    lines = re.findall(r"^(?:    |#)?([A-Z_]+=.*)$", guide + EXAMPLE, re.MULTILINE)

    assert "SECRET_KEY_FILE=/etc/acsstream/secret_key" in lines
    assert [line for line in lines if " #" in line] == []


def test_a_worker_finishes_the_journals_of_its_nodes_ingest() -> None:
    ingest, worker = SERVICES["ingest"], SERVICES["recordings"]

    shared = set(ingest["volumes"]) & set(worker["volumes"])
    node = "ACSSTREAM_NODE"

    assert f"data:{ingest['environment']['ACSSTREAM_DATA_DIR']}" in shared
    assert ingest["environment"][node] == worker["environment"][node]


def systemd_command(unit: str) -> list[str]:
    text = (ROOT / "deploy" / "systemd" / f"acsstream-{unit}.service").read_text()
    [line] = re.findall(r"^ExecStart=\S+/(celery .+)$", text, flags=re.MULTILINE)
    # To systemd, %h is somebody's home.
    return shlex.split(line.replace("%%", "%"))


def queues_read(words: list[str]) -> set[str]:
    """Return the queues that a worker reads, as Celery understands `words`."""
    parsed = celery_worker.make_context("worker", words[4:], resilient_parsing=True)
    queues = Queues([Queue("acsstream"), Queue("recordings.here")])
    queues.select(parsed.params["queues"])
    queues.deselect(parsed.params["exclude_queues"])
    return set(queues.consume_from)


@pytest.mark.parametrize("command_of", [command, systemd_command])
def test_no_recording_holds_up_an_order(
    command_of: Callable[[str], list[str]],
) -> None:
    read = {name: queues_read(command_of(name)) for name in ("worker", "recordings")}

    assert read == {"worker": {"acsstream"}, "recordings": {"recordings.here"}}


def test_the_workers_of_a_machine_have_names_of_their_own() -> None:
    commands = [
        kind(name)
        for kind in (command, systemd_command)
        for name in ("worker", "recordings")
    ]

    names = [words[words.index("--hostname") + 1] for words in commands]

    assert names == ["orders@%h", "recordings@%h"] * 2


def test_volumes_outlive_their_containers() -> None:
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }

    assert named == set(COMPOSE["volumes"])


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "ports" not in SERVICES["postgres"]
    assert "ports" not in SERVICES["redis"]


def test_nothing_starts_before_the_database_is_migrated() -> None:
    for service in OURS[:-1]:
        needs = SERVICES[service]["depends_on"]["migrate"]
        assert needs["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == (
        "service_healthy"
    )


def grace(service: str) -> int:
    return int(SERVICES[service]["stop_grace_period"].removesuffix("s"))


def test_ingest_has_time_to_let_calls_end_and_seal_its_journals() -> None:
    assert grace("ingest") >= LONGEST_DRAIN + 20


def test_web_has_time_to_answer_what_it_was_asked() -> None:
    drain = float(env.variables["ACSSTREAM_WEB_DRAIN_SECONDS"].default)

    assert grace("web") >= drain + 5


def test_the_emulator_starts_only_when_asked_for() -> None:
    profiles = {name: each.get("profiles") for name, each in SERVICES.items()}

    assert profiles.pop("emulator") == ["emulator"]
    assert set(profiles.values()) == {None}


def test_the_image_runs_without_root() -> None:
    [*_, user] = re.findall(r"^USER (\S+)$", DOCKERFILE, flags=re.MULTILINE)

    assert user not in {"root", "0"}


def test_the_image_is_built_of_files_that_exist_and_are_sent() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    missing = [name for name in sent if not (ROOT / name).exists()]
    # English ships without a folder of translations.
    assert set(missing) <= {"locale"}

    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    for name in shlex.split(" ".join(copies)):
        assert name == "." or any(fnmatch(name, pattern) for pattern in sent)


def test_the_image_has_every_package_that_is_installed() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")

    packages = ("acsstream", "calls", "streaming", "emulator", "demo", "templates")
    for folder in (*packages, "locale"):
        assert f"!{folder}\n" in ignored


def test_images_are_named_with_a_version_and_without_a_registry() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    images = {each["image"] for each in SERVICES.values()} - {"acsstream"}

    for image in {*bases, *images}:
        assert re.fullmatch(r"[a-z]+:\d[\w.-]*", image), image
