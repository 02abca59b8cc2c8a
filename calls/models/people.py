"""Who people are at the identity provider."""

from django.contrib.auth.models import User
from django.db import models


class SsoIdentity(models.Model):
    """A user as the identity provider knows them.

    Issuer and subject never change; names and addresses do, and anybody may have a
    tenant in which they are called what they like.
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="sso_identities"
    )
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "identity at single sign-on"
        verbose_name_plural = "identities at single sign-on"
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], name="one_user_per_identity"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
