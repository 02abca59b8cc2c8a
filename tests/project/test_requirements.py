"""`make check` notices when the pinned requirements and pyproject.toml disagree."""

import pytest

from scripts.requirements_agree import disagreements, main, pins

PINNED = """
django==5.2.19
    # via acsstream (pyproject.toml)
pyjwt[crypto]==2.10.1
cbor2==5.9.0 ; platform_python_implementation == 'PyPy'
cbor2==6.2.1 ; platform_python_implementation != 'PyPy'
"""


def test_this_checkout_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().out == "requirements*.txt agree with pyproject.toml\n"


def test_reads_pins_with_extras_and_markers() -> None:
    assert pins(PINNED) == {
        "django": {"5.2.19"},
        "pyjwt": {"2.10.1"},
        "cbor2": {"5.9.0", "6.2.1"},
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Django>=5.2,<5.3", []),
        ("pyjwt[crypto]>=2.10", []),
        ("django>=6", ["r.txt: django 5.2.19 is not django>=6"]),
        ("cbor2>=6", ["r.txt: cbor2 5.9.0 is not cbor2>=6"]),
        ("celery>=5.5", ["r.txt: celery is not pinned"]),
    ],
)
def test_names_every_disagreement(asked: str, expected: list[str]) -> None:
    assert list(disagreements([asked], pins(PINNED), "r.txt")) == expected
