"""Alerts, dashboard and documentation name the metrics that /metrics really has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import redis
import yaml
from prometheus_client.core import Metric

from calls.metrics.rows import row_metrics
from calls.metrics.views import told_metrics

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
RULES: list[dict[str, Any]] = [
    rule for group in ALERTS["groups"] for rule in group["rules"]
]
BOARD = json.loads((ROOT / "deploy/grafana/acsstream.json").read_text())
DOC = (ROOT / "docs/operating.md").read_text()
# What Prometheus itself adds.
OF_PROMETHEUS = {"up": {"job", "instance"}}
# What a family of each kind is called, and which label it has besides.
SUFFIXES: dict[str, dict[str, set[str]]] = {
    "gauge": {"": set()},
    "counter": {"_total": set()},
    "histogram": {"_bucket": {"le"}, "_sum": set(), "_count": set()},
}


def families() -> list[Metric]:
    """Return the families, those without a sample too."""
    return [*row_metrics(), *told_metrics()]


def documented() -> list[str]:
    """Return the table's rows as they should be."""
    return [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}`"
        f" | {family.type} | {', '.join(_labels(family))} | {family.documentation} |"
        for family in families()
    ]


def _labels(family: Metric) -> tuple[str, ...]:
    labels: tuple[str, ...] = family._labelnames  # type: ignore[attr-defined] # core families
    return labels


def known() -> dict[str, set[str]]:
    """Return the labels of each series by its name."""
    return OF_PROMETHEUS | {
        f"{family.name}{suffix}": {*_labels(family), *more}
        for family in families()
        for suffix, more in SUFFIXES[family.type].items()
    }


def expressions() -> Iterator[str]:
    for rule in RULES:
        yield rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            # Grafana puts a duration there.
            yield target["expr"].replace("$__rate_interval", "1m")


@pytest.fixture
def with_redis(db: None, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def faults(expression: str, series: dict[str, set[str]]) -> list[str]:
    """Return what is wrong with an expression; the parser refuses what is no PromQL."""
    promql_parser.parse(expression)
    names = set(re.findall(r"\b(?:acsstream_\w+|up)\b", expression))
    found = [f"no metric {name}" for name in names if name not in series]
    labels = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
    for listed in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", expression):
        labels |= {label.strip() for label in listed.split(",")}
    there = set().union(*(series.get(name, set()) for name in names))
    return found + [f"no label {label}" for label in sorted(labels - there)]


def test_alerts_and_dashboard_ask_for_what_there_is(with_redis: None) -> None:
    series = known()

    wrong = {one: found for one in expressions() if (found := faults(one, series))}

    assert wrong == {}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("sum(acsstream_nonsense)", ["no metric acsstream_nonsense"]),
        ("sum by (colour) (acsstream_streams)", ["no label colour"]),
        ('acsstream_calls{mood="bad"}', ["no label mood"]),
    ],
)
def test_an_unknown_name_is_found(
    with_redis: None, expression: str, found: list[str]
) -> None:
    assert faults(expression, known()) == found


def test_every_alert_says_what_it_is_and_where_to_read_on() -> None:
    # As GitHub makes anchors of headings.
    anchors = {title.lower() for title in re.findall(r"^### (\w+)$", DOC, re.MULTILINE)}
    for rule in RULES:
        words = rule["annotations"]
        assert rule["alert"].lower() in anchors
        assert words["runbook"] == f"docs/operating.md#{rule['alert'].lower()}"
        assert words["summary"]
        assert words["description"].endswith(".")
        assert rule["labels"]["severity"] in {"warning", "critical"}
    assert anchors == {rule["alert"].lower() for rule in RULES}


def test_every_section_of_the_runbook_says_what_to_do() -> None:
    sections = re.split(r"^### ", DOC.split("## How processes end")[0], flags=re.M)[1:]
    for section in sections:
        words = re.findall(r"^- \*\*([A-Z]\w+(?: at)?)\*\*: ", section, re.MULTILINE)
        assert words == ["Means", "Look at", "Do"], section.splitlines()[0]


def test_the_table_of_metrics_is_what_metrics_says(with_redis: None) -> None:
    table = DOC.split("<!-- metrics -->")[1].split("<!-- /metrics -->")[0]

    assert table.strip().splitlines()[2:] == documented()


def test_every_figure_of_the_dashboard_has_a_place() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in BOARD["panels"]]

    assert len(set(places)) == len(places)
    assert all(
        panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"]
    )
