"""What Django may show of settings, requests and variables when something fails.

Its debug page is for development, and its reports go nowhere here. Still neither has
secrets or numbers: a flag set by mistake must not tell a stranger the keys.
"""

import re
from collections.abc import ItemsView
from copy import copy
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from acsstream.logs import without_secrets


class DiscreetFilter(SafeExceptionReporterFilter):
    """Hides what is secret by its name, and all variables, whether DEBUG is on or not.

    A frame's variables here are numbers, transcripts, audio and secrets in URLs.
    """

    hidden_settings = re.compile(
        r"API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|URL|HOSTS|DATABASE"
        r"|STORAGE|CHANNEL_LAYERS|CONNECTION|CALLER_IDS|CONTEXT",
        flags=re.IGNORECASE,
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        """Say that it always is; Django's is not while DEBUG is on."""
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Return a setting without what is secret, in its name or its text."""
        shown = super().cleanse_setting(key, value)
        return without_secrets(shown) if isinstance(shown, str) else shown

    def get_safe_request_meta(self, request: HttpRequest) -> dict[str, Any]:
        """Return headers; the query and the path may hold secrets and numbers."""
        meta = super().get_safe_request_meta(request)
        return {
            name: self.cleansed_substitute
            if name in {"QUERY_STRING", "PATH_INFO", "HTTP_REFERER"}
            else value
            for name, value in meta.items()
        }

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Return which fields were sent, and not what was in them."""
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request else {}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        """Return the names of a frame's variables."""
        return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()


class DiscreetReporter(ExceptionReporter):
    """Writes the debug page, and reports, without what `without_secrets` finds."""

    def get_traceback_data(self) -> dict[str, Any]:
        """Return what the page shows."""
        shown: dict[str, Any] = super().get_traceback_data()
        if "request_GET_items" in shown:
            hidden = self.filter.cleansed_substitute
            shown["request_GET_items"] = [
                (name, hidden) for name, _ in shown["request_GET_items"]
            ]
        if self.request is not None:
            # Its address is shown.
            shown["request"] = request = copy(self.request)
            request.path_info = without_secrets(request.path_info)
        for name in ("exception_value", "request_insecure_uri"):
            if name in shown:
                shown[name] = without_secrets(str(shown[name]))
        return shown
