"""How the admin looks: title, style sheet, sidebar, dashboard."""

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "acsstream",
    "SITE_HEADER": "acsstream",
    "SITE_SUBHEADER": "Call audio console",
    "SITE_SYMBOL": "graphic_eq",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": False,
    # None: Unfold would write them into each page, and acsstream/csp.py refuses a style
    # sheet in a page. They stand in static/calls/console.css.
    "COLORS": lambda _: {},
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _: static("calls/favicon.svg"),
        }
    ],
    "STYLES": [
        lambda _: static("calls/console.css"),
        lambda _: static("calls/badges.css"),
    ],
    "SCRIPTS": [lambda _: static("calls/badges.js")],
    "DASHBOARD_CALLBACK": "calls.admin.dashboard.dashboard_context",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "calls.admin.sidebar.navigation",
    },
    "ACCOUNT": {"navigation": "calls.sign_in.links.account_links"},
    "COMMAND": {"search_models": ["calls.call"]},
}
