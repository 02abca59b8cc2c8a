"""`make audit` says plainly what was found, and when nobody could be asked."""

from scripts.audit import verdict

CLEAN = {"name": "django", "version": "5.2.1", "vulns": []}
BAD = CLEAN | {"vulns": [{"id": "PYSEC-1", "fix_versions": ["5.2.2"]}]}
UNKNOWN = {"name": "django", "skip_reason": "Dependency not found on PyPI"}


def test_a_known_vulnerability_fails_and_names_its_remedy() -> None:
    code, lines = verdict([CLEAN, BAD])

    assert code == 1
    assert lines[0] == "django 5.2.1: PYSEC-1, mended in 5.2.2"


def test_nobody_asked_is_no_failure_and_no_all_clear() -> None:
    for rows in ([], [UNKNOWN, UNKNOWN]):
        code, lines = verdict(rows)

        assert code == 0
        assert [line[:11] for line in lines] == ["NOT AUDITED"]


def test_a_dependency_that_nobody_knows_is_told_beside_the_others() -> None:
    assert verdict([CLEAN, UNKNOWN]) == (
        0,
        [
            "NOT AUDITED: 1 of 2 dependencies are unknown.",
            "1 dependencies, 0 known vulnerabilities.",
        ],
    )
