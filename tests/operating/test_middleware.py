"""What a request goes through on its way to a view."""

from typing import Any, ClassVar

from django.core.handlers.asgi import ASGIHandler
from django.utils.deprecation import MiddlewareMixin


class Witness(MiddlewareMixin):
    """Says in which way it is run: as Django's own, it can be in both."""

    ways: ClassVar[list[bool]] = []

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.ways.append(self.async_mode)


def test_no_middleware_goes_back_and_forth_between_thread_and_loop(
    settings: Any,
) -> None:
    Witness.ways.clear()
    before, innermost = settings.MIDDLEWARE[:-1], settings.MIDDLEWARE[-1]
    settings.MIDDLEWARE = [*before, f"{__name__}.Witness", innermost]

    ASGIHandler()

    assert Witness.ways == [False]
