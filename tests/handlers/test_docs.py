"""The page on handlers tells the truth."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from calls.handler_names import SHIPPED as OFFERED
from streaming.handlers import Handler
from streaming.handlers.bench import Bench
from streaming.handlers.loading import SHIPPED, handler_class
from tests.streaming.wire import voice

PAGE = Path(__file__).parents[2] / "docs" / "handlers.md"
GREETING = b"".join(voice(number) for number in range(25))
SPEECH = (8_000 * np.sin(np.arange(8_000) * 0.3)).astype("<i2").tobytes()


def example() -> type[Handler]:
    """Return the handler that the page shows."""
    text = PAGE.read_text(encoding="utf-8")
    [code, *_] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "our.handlers"}
    exec(code, names)  # noqa: S102 our own page
    found: type[Handler] = names["Greeter"]
    return found


async def test_the_example_does_what_it_says() -> None:
    async with Bench(example()({}), prompts={"Greeting": GREETING}) as call:
        await call.silence(500)
        await call.hear(SPEECH)
        await call.silence(1_000)
        await call.hear(SPEECH)
        await call.press("0")

    assert bytes(call.heard) == GREETING
    assert [order.kind for order in call.orders] == ["hang_up"]
    assert not call.trouble


def test_what_is_shipped_is_offered_on_the_page_and_in_profiles() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert tuple(SHIPPED) == OFFERED
    for name in SHIPPED:
        assert f"| `{name}` |" in page
        assert issubclass(handler_class(name), Handler)
