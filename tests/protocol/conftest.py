"""Hypothesis without a clock: a busy machine is not a failing test."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "no clock",
    settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("no clock")
