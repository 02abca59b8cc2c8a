"""Keys that were pressed: by whom and when. Which, only those learn who may listen."""

from collections.abc import Iterator

from calls.history.entries import Entry, EntryKind
from calls.history.rows import CallRows
from calls.instants import instant


def tone_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield each press, when it happened as far as anybody said."""
    for tone in rows.tones:
        who = rows.name(tone.pressed_by) if tone.pressed_by else "Somebody"
        yield Entry(
            key=f"tone:{tone.pk}",
            at=instant(tone.at_us),
            kind=EntryKind.TONE,
            what=f"{who}: pressed a key",
            source="ACS",
            told=f"Told by {tone.get_source_display().lower()}.",
            details={"masked": tone.is_masked},
        )
