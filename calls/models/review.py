"""What people add to a call: notes, tags; and how they like to look at the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from calls.models.call import Call


class Tag(models.Model):
    """A word that calls are found by."""

    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class CallNote(models.Model):
    """What somebody wrote about a call, perhaps about one moment of it."""

    call: models.ForeignKey[Call] = models.ForeignKey(
        "calls.Call", on_delete=models.CASCADE, related_name="notes"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    author_name = models.CharField(
        max_length=255, help_text="The name then: it stays when the user is gone."
    )
    text = models.TextField(max_length=4000)
    written_at = models.DateTimeField(default=timezone.now)
    at_us = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The moment it is about, capture time, µs since 1970 UTC.",
    )

    class Meta:
        ordering = ("written_at", "pk")

    def __str__(self) -> str:
        return self.text[:60]


class SavedView(models.Model):
    """A list of calls as somebody likes it: filters, search, order, columns."""

    name = models.CharField(max_length=80)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="saved_views",
    )
    query = models.TextField(
        blank=True, help_text="The list's query string, without the page number."
    )
    columns = models.JSONField(default=list, blank=True)
    is_shared = models.BooleanField(
        "shared", default=False, help_text="Everybody who may see calls may use it."
    )
    is_default = models.BooleanField(
        "default", default=False, help_text="The list opens with it, for its owner."
    )
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], name="one_view_per_name_and_owner"
            ),
            models.UniqueConstraint(
                fields=["owner"],
                condition=models.Q(is_default=True),
                name="one_default_view_per_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.name
