"""`calls.formats` as template filters."""

from django.template import Library

from calls import formats

register = Library()
for function in (
    formats.party,
    formats.clock,
    formats.brief,
    formats.percent,
    formats.dbfs,
    formats.count,
    formats.size,
    formats.moment,
    formats.moment_ms,
):
    register.filter(function.__name__, function)
