"""Name what a call without audio left behind on a row that every journal has."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column."""

    dependencies = [("calls", "0015_answered_both_ways")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="leftovers",
            field=models.CharField(
                blank=True,
                help_text="Its frames that have no place on the timeline: JSON lines,"
                " gzipped.",
                max_length=255,
            ),
        ),
    ]
