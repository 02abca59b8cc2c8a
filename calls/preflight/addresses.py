"""The checks that both public URLs have in common: scheme, host, certificate."""

import math
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from calls.addresses import is_near
from calls.preflight.network import (
    Target,
    addresses_of,
    certificate_of,
    is_emulated,
    is_public,
    reason,
)
from calls.preflight.outcome import Outcome, green, red, unknown

LEAST_DAYS = 14
# OpenSSL's X509_V_ERR_… numbers: what is wrong, and what helps.
CERTIFICATE_FAULTS: dict[int, tuple[str, str]] = {
    9: ("is not valid yet", "Check the clocks of this machine and of the proxy."),
    10: ("has expired", "Renew it, and have it renewed by itself from now on."),
    18: (
        "is signed by itself",
        "ACS trusts public authorities only: get one from such, for example Let's"
        " Encrypt.",
    ),
    19: (
        "is signed by an authority that is not trusted here",
        "ACS trusts public authorities only: get one from such, for example Let's"
        " Encrypt.",
    ),
    20: (
        "cannot be traced to a trusted authority",
        "Have the server send the full chain: its own certificate and every"
        " intermediate one.",
    ),
    21: (
        "cannot be traced to a trusted authority",
        "Have the server send the full chain: its own certificate and every"
        " intermediate one.",
    ),
    62: ("is made for another name", "Get one that names this very host."),
    64: ("is made for another address", "Use a host name, and one made for it."),
}


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """A URL under which ACS is to reach us, and what it is called.

    `scheme` is what ACS needs ("wss", "https"), `plain` the same without TLS.
    """

    variable: str
    url: str
    scheme: str
    plain: str

    @property
    def target(self) -> Target | None:
        """Return where it leads; None if it is missing or of another kind."""
        target = Target.of(self.url)
        known = target is not None and target.scheme in (self.scheme, self.plain)
        return target if known else None

    def unusable(self) -> str:
        """Return why there is nothing to look at, for checks that build on the URL."""
        return f"{self.variable} does not name a host to look at."


def check_scheme(public: PublicUrl) -> Outcome:
    """Check that a URL is there and spoken over TLS; near the emulator it need not."""
    target = public.target
    if not public.url:
        return red(
            f"{public.variable} is not set.",
            f"Set it to {public.scheme}://… of a public host.",
        )
    if target is None:
        return red(
            f"{public.variable} is no {public.scheme}:// URL of a host.",
            f"Set it to {public.scheme}://host, with a path if a proxy needs one.",
        )
    if target.is_tls:
        return green(f"{target} is encrypted.")
    if is_near(target.host) and is_emulated():
        return green(
            f"{target} is fine for the emulator; ACS needs a public"
            f" {public.scheme}:// address."
        )
    return red(
        f"{target} is not encrypted.",
        f"ACS accepts {public.scheme}:// only: put a proxy that ends TLS in front.",
    )


def check_host(public: PublicUrl) -> Outcome:
    """Check that a host resolves to addresses that ACS can reach."""
    target = public.target
    if target is None:
        return unknown(public.unusable())
    try:
        found = addresses_of(target)
    except OSError as exc:
        return red(
            f"{target.host} does not resolve: {reason(exc)}.",
            "Check the name, and its A and AAAA records.",
        )
    told = _told(target, found)
    inside = [address for address in found if not is_public(address)]
    if not inside:
        return green(f"{told}.")
    if is_emulated():
        return green(f"{told}: fine for the emulator; ACS needs a public address.")
    return red(
        f"{told}: ACS cannot reach {', '.join(inside)} and would fail with 8581.",
        "Use a public address. If only the DNS in here answers so, look from outside.",
    )


def _told(target: Target, found: list[str]) -> str:
    is_address = found == [target.host]
    return target.host if is_address else f"{target.host} is {', '.join(found)}"


def check_certificate(public: PublicUrl) -> Outcome:
    """Check that a certificate is trusted, for that name, and lasts a while."""
    target = public.target
    if target is None:
        return unknown(public.unusable())
    if not target.is_tls:
        return unknown(f"{target.scheme}:// has no certificate.")
    try:
        certificate = certificate_of(target)
    except ssl.SSLCertVerificationError as exc:
        return _distrusted(target, exc)
    except OSError as exc:
        return red(
            f"{target.host}:{target.port} gives no certificate: {reason(exc)}.",
            "Check that the proxy runs, ends TLS on that port, and is let through.",
        )
    left = certificate.days_left(datetime.now(UTC))
    days = f"{math.floor(left)} day{'' if math.floor(left) == 1 else 's'}"
    told = f"The certificate of {target.host} (by {certificate.issuer})"
    if left < LEAST_DAYS:
        return red(
            f"{told} expires in {days}, on {certificate.expires:%Y-%m-%d}.",
            "Renew it now, and find out why that was not done by itself.",
        )
    return green(f"{told} is trusted and good for {days}.")


def _distrusted(target: Target, exc: ssl.SSLCertVerificationError) -> Outcome:
    wrong, advice = CERTIFICATE_FAULTS.get(
        exc.verify_code,
        (f"is not trusted: {exc.verify_message}", "Get one that browsers trust."),
    )
    return red(f"The certificate of {target.host} {wrong}.", advice)
