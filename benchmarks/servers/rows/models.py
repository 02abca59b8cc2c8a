"""The table."""

from typing import ClassVar

from django.db import models


class Packet(models.Model):
    """20 ms of one stream."""

    stream = models.IntegerField(db_index=True)
    timestamp = models.DateTimeField()
    data = models.BinaryField()

    objects: ClassVar[models.Manager["Packet"]] = models.Manager()

    class Meta:
        app_label = "rows"
        db_table = "packet"

    def __str__(self) -> str:
        return f"{self.stream} {self.timestamp}"
