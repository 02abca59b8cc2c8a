from django.db import migrations, models

# What stands between words, wherever the database was made: its own idea of letters
# beyond ASCII follows from its locale, and in "C" a typographic quote is one.
BETWEEN = (
    r"[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9"
    r"\u00BB-\u00BF\u060C\u061B\u061F\u0964\u0965\u2000-\u206F\u20A0-\u20CF\u3000-\u3003"
    r"\u3008-\u301F\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65]+"
)
# 'simple' knows no language: no stems, and no words that are too common to look for.
POSTGRESQL = [
    f"""
    CREATE FUNCTION calls_spoken(said text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT regexp_replace(said, '{BETWEEN}', ' ', 'g')
    $$
    """,
    """
    ALTER TABLE calls_transcriptsegment ADD COLUMN spoken tsvector
    GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, calls_spoken(text))) STORED
    """,
    'CREATE INDEX segments_by_words ON calls_transcriptsegment USING gin (spoken)',
]
POSTGRESQL_BACK = [
    'DROP INDEX segments_by_words',
    'ALTER TABLE calls_transcriptsegment DROP COLUMN spoken',
    'DROP FUNCTION calls_spoken(text)',
]
# SQLite's rowids of a table with another key may change by VACUUM, so the index finds
# its rows by the segment's key, which is a word to it.
GONE = """
    DELETE FROM calls_segmentwords WHERE rowid =
    (SELECT rowid FROM calls_segmentwords WHERE segment MATCH old.id)
"""
COME = 'INSERT INTO calls_segmentwords (segment, text) VALUES (new.id, new.text)'
SQLITE = [
    'CREATE VIRTUAL TABLE calls_segmentwords USING fts5'
    " (segment, text, tokenize = 'unicode61 remove_diacritics 0')",
    'INSERT INTO calls_segmentwords (segment, text)'
    ' SELECT id, text FROM calls_transcriptsegment',
    f"""
    CREATE TRIGGER calls_segmentwords_come AFTER INSERT ON calls_transcriptsegment
    BEGIN {COME}; END
    """,
    f"""
    CREATE TRIGGER calls_segmentwords_change AFTER UPDATE OF id, text
    ON calls_transcriptsegment WHEN old.text <> new.text OR old.id <> new.id
    BEGIN {GONE}; {COME}; END
    """,
    f"""
    CREATE TRIGGER calls_segmentwords_gone AFTER DELETE ON calls_transcriptsegment
    BEGIN {GONE}; END
    """,
]
SQLITE_BACK = [
    'DROP TRIGGER calls_segmentwords_come',
    'DROP TRIGGER calls_segmentwords_change',
    'DROP TRIGGER calls_segmentwords_gone',
    'DROP TABLE calls_segmentwords',
]


def index_make(apps, schema_editor):
    """Make the full-text index, of what is there too."""
    is_postgresql = schema_editor.connection.vendor == 'postgresql'
    for statement in POSTGRESQL if is_postgresql else SQLITE:
        schema_editor.execute(statement, params=None)


def index_drop(apps, schema_editor):
    """Drop it."""
    is_postgresql = schema_editor.connection.vendor == 'postgresql'
    for statement in POSTGRESQL_BACK if is_postgresql else SQLITE_BACK:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """The words of transcripts, to be found.

    On SQLite triggers keep the index true: a migration that rebuilds the table of
    segments must make them again.
    """

    dependencies = [
        ('calls', '0011_prompt_level'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='transcriptsegment',
            index=models.Index(fields=['-start_us'], name='segments_by_time'),
        ),
        migrations.RunPython(index_make, index_drop),
    ]
