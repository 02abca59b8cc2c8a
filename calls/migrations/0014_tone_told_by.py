"""Who pressed a key, where only a callback says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column."""

    dependencies = [("calls", "0013_transcript_search")]

    operations = [
        migrations.AddField(
            model_name="tone",
            name="told_by",
            field=models.CharField(
                blank=True,
                help_text="Who pressed it by the callback, where the frame named"
                " nobody.",
                max_length=255,
            ),
        ),
    ]
