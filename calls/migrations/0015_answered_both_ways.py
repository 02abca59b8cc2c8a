"""Whether a call was asked for both ways, whatever its profile says later."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column; of calls before it is not known, their profile says."""

    dependencies = [("calls", "0014_tone_told_by")]

    operations = [
        migrations.AddField(
            model_name="call",
            name="is_bidirectional",
            field=models.BooleanField(
                editable=False,
                help_text="Whether audio may be sent into the call, as ACS was asked"
                " for it. Empty: not known, its profile says.",
                null=True,
            ),
        ),
    ]
