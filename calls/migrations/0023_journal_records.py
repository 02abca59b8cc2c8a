"""Keep how much of each journal a recording was made of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column."""

    dependencies = [("calls", "0022_socket_indexes")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="journal_records",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Of its journal, read for the recording. Empty: not recorded,"
                " or not counted.",
                null=True,
            ),
        ),
    ]
