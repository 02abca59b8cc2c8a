"""The pages on which people come in and go: password, code, single sign-on."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from calls.audit.log import address_of
from calls.sign_in import second_factor, single_sign_on
from calls.sign_in.backends import SINGLE_SIGN_ON
from calls.sign_in.forms import CodeForm, LoginForm, wait_words
from calls.sign_in.lockout import trying, wait_for
from calls.sign_in.pending import complete, pend, pending
from calls.sign_in.sessions import EXPIRED

NEXT = "sign_in_next"
DRAFT = "sign_in_draft"


def page(request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
    """Return a page in the frame of the login page."""
    context = {**admin.site.each_context(request), "title": title, **more}
    return TemplateResponse(request, f"sign_in/{template}", context)


class Login(LoginView):
    """Name and password, and the way to single sign-on."""

    template_name = "admin/login.html"
    authentication_form = LoginForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; who is in already goes on."""
        if admin.site.has_permission(request):
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Try what was typed; until the outcome is noted, the try counts."""
        typed = request.POST.get("username", "")
        # As the form reads it, and so as the try is judged.
        name = LoginForm.base_fields["username"].to_python(typed)
        with trying(str(name), address_of(request)):
            return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in, or ask for the code first."""
        user, next_page = form.get_user(), self.get_success_url()
        is_enrolled = second_factor.is_enrolled(user)
        if is_enrolled or second_factor.is_required(user):
            pend(self.request, user, next_page)
            return redirect("sign_in:code" if is_enrolled else "sign_in:enrol")
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page shows."""
        is_local = not settings.SSO_ONLY or "local" in self.request.GET
        return super().get_context_data(
            **kwargs
            | admin.site.each_context(self.request)
            | {
                "title": _("Log in"),
                "subtitle": None,
                "app_path": self.request.get_full_path(),
                "username": self.request.user.get_username(),
                "sso": settings.OIDC_NAME if single_sign_on.is_on() else "",
                "shows_form": is_local,
                "is_break_glass": settings.SSO_ONLY and bool(settings.BREAK_GLASS),
                "has_expired": self.request.session.pop(EXPIRED, False),
            }
        )


class Logout(LogoutView):
    """The page after signing out; it leads on to signing out of the provider."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign out."""
        how = request.session.get("_auth_user_backend")
        back_to = request.build_absolute_uri(reverse("admin:login"))
        leave = single_sign_on.leave_url(back_to) if how == SINGLE_SIGN_ON else ""
        self.extra_context = {
            **admin.site.each_context(request),
            "title": _("Signed out"),
            "leave": leave,
            "sso": settings.OIDC_NAME,
        }
        return super().post(request, *args, **kwargs)


# --- The code -------------------------------------------------------------------------


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the code of who gave the right password, and sign them in."""
    user, next_page = pending(request)
    if user is None:
        return redirect("admin:login")
    form = CodeForm(request.POST or None)
    if form.is_valid() and _is_right(request, user, form):
        complete(request, user)
        _recovery_note(request, user, form)
        return redirect(next_page)
    return page(request, "code.html", _("Code"), form=form)


def _is_right(request: HttpRequest, user: Any, form: CodeForm) -> bool:
    """Say whether a code is right; else the form says why. Who fails often waits."""
    name = user.get_username()
    wait = wait_for(name, address_of(request))
    if wait:
        form.add_error("code", wait_words(wait.total_seconds()))
        return False
    try:
        if second_factor.accepts(user, form.cleaned_data["code"]):
            return True
    except second_factor.MustWaitError as refusal:
        # Unread, so no failure: it may well have been the right one.
        form.add_error("code", wait_words(refusal.wait.total_seconds()))
        return False
    user_login_failed.send(
        sender=__name__,
        credentials={"username": name, "step": "code"},
        request=request,
    )
    form.add_error("code", _("That code is not right, or was used before."))
    return False


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Add an app: by who is signed in, or must have one to be."""
    user, next_page = pending(request)
    is_pending = user is not None
    if user is None and not admin.site.has_permission(request):
        return redirect("admin:login")
    who: Any = user or request.user
    if second_factor.is_enrolled(who):
        return redirect("sign_in:code" if is_pending else "sign_in:second_factor")
    draft = second_factor.draft_of(who, request.session.get(DRAFT))
    request.session[DRAFT] = draft.pk
    form = CodeForm(request.POST or None)
    if form.is_valid():
        codes = _confirmed(draft, form)
        if codes:
            del request.session[DRAFT]
            if is_pending:
                complete(request, who)
            _note(request, who, "second factor added")
            return _recovery(request, codes, next_page)
    return page(
        request,
        "enrol.html",
        _("Add an app for codes"),
        form=form,
        is_pending=is_pending,
        qr=second_factor.qr_svg(draft),
        secret=second_factor.secret_text(draft),
    )


def _confirmed(draft: TOTPDevice, form: CodeForm) -> list[str] | None:
    """Return the recovery codes of an app whose code is right; else the form says."""
    try:
        codes = second_factor.confirm(draft, form.cleaned_data["code"])
    except second_factor.MustWaitError as refusal:
        form.add_error("code", wait_words(refusal.wait.total_seconds()))
        return None
    if not codes:
        form.add_error("code", _("That code is not right. Is the phone's clock?"))
    return codes


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_second_factor(request: HttpRequest) -> HttpResponse:
    """Show a user's own second factor; with a code, renew or remove it."""
    user: Any = request.user
    is_enrolled = second_factor.is_enrolled(user)
    is_required = second_factor.is_required(user)
    form = CodeForm(request.POST or None)
    if is_enrolled and form.is_valid() and _is_right(request, user, form):
        _recovery_note(request, user, form)
        if "recovery" in request.POST:
            _note(request, user, "recovery codes renewed")
            return _recovery(request, second_factor.recovery_make(user), "")
        if "remove" in request.POST and not is_required:
            _note(request, user, "second factor removed")
            second_factor.reset(user)
            return redirect("sign_in:second_factor")
    return page(
        request,
        "second_factor.html",
        _("Second factor"),
        form=form,
        is_enrolled=is_enrolled,
        is_required=is_required,
        is_elsewhere=request.session.get("_auth_user_backend") == SINGLE_SIGN_ON,
        left=second_factor.recovery_left(user),
    )


def _recovery(request: HttpRequest, codes: list[str], next_page: str) -> HttpResponse:
    onward = next_page or reverse("sign_in:second_factor")
    title = _("Recovery codes")
    return page(request, "recovery.html", title, codes=codes, onward=onward)


def _recovery_note(request: HttpRequest, user: Any, form: CodeForm) -> None:
    if second_factor.is_recovery(form.cleaned_data["code"]):
        _note(request, user, "recovery code used")


def _note(request: HttpRequest, user: Any, how: str) -> None:
    from calls.admin.auditing import change_note

    change_note(request, user, {"how": how})


# --- Single sign-on -------------------------------------------------------------------


@never_cache
@require_safe
def sso_begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the identity provider."""
    if not single_sign_on.is_on():
        return redirect("admin:login")
    wanted = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(
        wanted, {request.get_host()}, require_https=request.is_secure()
    ):
        request.session[NEXT] = wanted
    back_to = request.build_absolute_uri(reverse("sign_in:sso_callback"))
    try:
        return single_sign_on.begin(request, back_to)
    except single_sign_on.NotSignedInError as refusal:
        return _refused(request, str(refusal))


@never_cache
@require_safe
def sso_callback(request: HttpRequest) -> HttpResponseBase:
    """Take who comes back from the identity provider, or say why not."""
    if not single_sign_on.is_on():
        return redirect("admin:login")
    name, is_awaited = "", single_sign_on.is_awaited(request)
    try:
        claims = single_sign_on.claims_of(request)
        name = claims.name
        user = single_sign_on.user_of(claims, address_of(request))
    except single_sign_on.NotSignedInError as refusal:
        if name or (is_awaited and _is_news(request)):
            user_login_failed.send(
                sender=__name__,
                credentials={"username": name, "by": "single sign-on"},
                request=request,
            )
        return _refused(request, str(refusal))
    wanted = request.session.pop(NEXT, "") or reverse("admin:index")
    login(request, user, backend=SINGLE_SIGN_ON)
    return redirect(wanted)


def _is_news(request: HttpRequest) -> bool:
    """Say whether one more that led to nobody is worth a row that stays for ever."""
    return not single_sign_on.failures().strike(address_of(request))


def _refused(request: HttpRequest, why: str) -> HttpResponse:
    answer = page(request, "refused.html", _("Not signed in"), why=why)
    answer.status_code = 403
    return answer
