"""Metric families in few words."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

PREFIX = "acsstream_"
Samples = Iterable[tuple[Sequence[str], float]]


def gauge(
    name: str, text: str, labels: Sequence[str] = (), samples: Samples = ()
) -> GaugeMetricFamily:
    """Return a gauge with these samples: label values, and the figure."""
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for values, figure in samples:
        family.add_metric(values, figure)
    return family


def counter(
    name: str, text: str, labels: Sequence[str] = (), samples: Samples = ()
) -> CounterMetricFamily:
    """Return a counter, shown with `_total` behind its name."""
    family = CounterMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for values, figure in samples:
        family.add_metric(values, figure)
    return family


def value(name: str, text: str, figure: float) -> GaugeMetricFamily:
    """Return a gauge without labels."""
    return gauge(name, text, samples=[((), figure)])


def by_state(
    name: str, text: str, counts: Mapping[str, int], states: Iterable[str]
) -> GaugeMetricFamily:
    """Return a gauge with a sample for every state, those with no rows too."""
    return gauge(
        name, text, ["state"], [((state,), counts.get(state, 0)) for state in states]
    )
