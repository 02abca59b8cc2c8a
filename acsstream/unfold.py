"""How the admin looks: title, colours, sidebar, dashboard."""

from typing import Any

from django.templatetags.static import static

# A quiet blue; Unfold's own purple is loud for a page that is open all day.
PRIMARY = {
    "50": "oklch(97% .014 240)",
    "100": "oklch(93.5% .03 240)",
    "200": "oklch(88% .06 240)",
    "300": "oklch(80% .1 240)",
    "400": "oklch(71% .14 240)",
    "500": "oklch(63% .16 245)",
    "600": "oklch(53% .16 250)",
    "700": "oklch(46% .14 250)",
    "800": "oklch(40% .11 250)",
    "900": "oklch(35% .09 250)",
    "950": "oklch(27% .07 250)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "acsstream",
    "SITE_HEADER": "acsstream",
    "SITE_SUBHEADER": "Call audio console",
    "SITE_SYMBOL": "graphic_eq",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": False,
    "COLORS": {"primary": PRIMARY},
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
    "COMMAND": {"search_models": ["calls.call"]},
}
