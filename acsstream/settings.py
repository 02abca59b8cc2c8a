"""Every setting, from environment variables only.

`env.py` parses them, `calls.checks` judges them.
The purpose text of each variable is the README's table and a comment in .env.example.
"""

import os
import secrets
import socket
import sys
from pathlib import Path

from celery.schedules import crontab

from acsstream.env import Env, Secret
from acsstream.logs import logging_config
from acsstream.unfold import UNFOLD as UNFOLD
from calls.alarms.thresholds import LIMITS

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(os.environ)

# --- Django -----------------------------------------------------------------------
DEBUG = env.flag("DEBUG", False, purpose="Django's debug pages. Never in production.")
DATA_DIR = env.path(
    "ACSSTREAM_DATA_DIR",
    BASE_DIR / "var",
    shown="var",
    purpose="Where database, journals, recordings and the generated key lie.",
)


def generated_secret_key() -> str:
    """Return the key kept in the data folder, made on first use.

    One machine needs no more. Several nodes must share one `SECRET_KEY`, because the
    secrets in media and callback URLs are signed with it.
    """
    path = DATA_DIR / "secret_key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64), encoding="ascii")
        try:
            # link() and not rename(): of two processes that start at once, one wins.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


SECRET_KEY = env.secret(
    "SECRET_KEY",
    purpose="Signs sessions and the secrets in media and callback URLs. Without"
    " it a key is made and kept in the data folder: enough for one machine.",
) or Secret(generated_secret_key())
SECRET_KEY_FALLBACKS = [
    Secret(key)
    for key in env.words(
        "SECRET_KEY_FALLBACKS", purpose="Older keys that still verify, after a change."
    )
]
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS",
    "localhost,127.0.0.1,[::1]",
    purpose="Host names the console answers to.",
)
CSRF_TRUSTED_ORIGINS = env.words(
    "CSRF_TRUSTED_ORIGINS",
    purpose="Origins (https://…) of the console when a proxy stands before it.",
)
BEHIND_PROXY = env.flag(
    "ACSSTREAM_BEHIND_PROXY",
    False,
    purpose="A proxy ends TLS and sets X-Forwarded-Proto. Secure cookies, and HSTS for"
    " a year with includeSubDomains and preload: give the console a name of its own.",
)
TRUSTED_PROXIES = env.networks(
    "ACSSTREAM_TRUSTED_PROXIES",
    purpose="Addresses and networks (CIDR) of proxies before us, whose X-Forwarded-For"
    " and X-Forwarded-Proto are believed. Empty: with ACSSTREAM_BEHIND_PROXY those on"
    " this machine, else none.",
) or (["127.0.0.0/8", "::1"] if BEHIND_PROXY else [])
TIME_ZONE = env.text(
    "TIME_ZONE",
    "UTC",
    purpose="Time zone of pages for browsers that tell none, or whose user chose it."
    " Stored times are UTC.",
)
USE_TZ = True
LANGUAGE_CODE = "en"
# Texts are marked for translation; a language is a folder in locale and a line here.
USE_I18N = True
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# Daphne's runserver serves WebSockets too; it has to come first. Elsewhere the app is
# not wanted: Twisted is 20 MB of every process and a quarter of its start.
_RUNSERVER = ["daphne"] if "runserver" in sys.argv[1:2] else []
INSTALLED_APPS = [
    *_RUNSERVER,
    "unfold",
    "unfold.contrib.filters",
    # Before calls, whose admin takes theirs away: it would show secrets.
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "acsstream",
    "calls",
    "streaming",
    "demo",
]
MIDDLEWARE = [
    # Outermost: no answer leaves without its headers.
    "acsstream.headers.headers_middleware",
    "acsstream.requests.request_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "acsstream.zones.zone_middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "calls.sign_in.sessions.SessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Innermost: what is above runs in one thread, without a way back to the event loop.
    "acsstream.requests.one_thread_middleware",
]
ROOT_URLCONF = "acsstream.urls"
ASGI_APPLICATION = "acsstream.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# --- Signing in -------------------------------------------------------------------
# The first is what permissions are asked of.
AUTHENTICATION_BACKENDS = [
    "calls.sign_in.backends.LocalBackend",
    "calls.sign_in.backends.SingleSignOnBackend",
]
SIGN_IN_TRIES = env.whole(
    "ACSSTREAM_SIGN_IN_TRIES",
    5,
    purpose="Failed sign-ins by one name from one address after which they wait: 30 s,"
    " twice as long after each further one, 15 minutes at most. 0: never.",
)
SESSION_SECONDS = 3600 * env.number(
    "ACSSTREAM_SESSION_HOURS",
    12,
    most=720,
    purpose="Hours after which one signs in again, whatever one did. 0: 30 days.",
)
SESSION_IDLE_SECONDS = 60 * env.number(
    "ACSSTREAM_SESSION_IDLE_MINUTES",
    120,
    purpose="Minutes without opening a page or giving an order after which one signs"
    " in again. 0: never, for a wallboard.",
)
SESSION_COOKIE_AGE = int(SESSION_SECONDS) or 30 * 24 * 3600
TOTP_ROLES = [
    role
    for role in env.words(
        "ACSSTREAM_TOTP_ROLES",
        "none" if DEBUG else "administrator",
        shown="administrator",
        purpose="Roles whose local accounts need a code from an app beside the"
        " password; superusers count as administrator. `none`: nobody; the default"
        " while DEBUG is on.",
    )
    if role != "none"
]
OTP_TOTP_ISSUER = "acsstream"
OIDC_ISSUER = env.text(
    "ACSSTREAM_OIDC_ISSUER",
    purpose="Single sign-on: the identity provider's issuer, to the letter. Entra ID:"
    " https://login.microsoftonline.com/<tenant id>/v2.0. Empty: none.",
)
OIDC_CLIENT_ID = env.text(
    "ACSSTREAM_OIDC_CLIENT_ID", purpose="Single sign-on: our client id there."
)
OIDC_CLIENT_SECRET = env.secret(
    "ACSSTREAM_OIDC_CLIENT_SECRET",
    purpose="Single sign-on: our secret there. Empty: a public client, PKCE alone.",
)
OIDC_SCOPES = env.text(
    "ACSSTREAM_OIDC_SCOPES",
    "openid profile email",
    purpose="Single sign-on: what is asked for.",
)
OIDC_CLAIMS = env.words(
    "ACSSTREAM_OIDC_CLAIMS",
    "roles,groups",
    purpose="Single sign-on: the claims that list what roles follow from.",
)
OIDC_ROLES = env.json(
    "ACSSTREAM_OIDC_ROLES",
    purpose="Single sign-on: which of our roles a value of those claims means, as"
    ' {"<group id or app role>": "operator"}. Who has none is refused.',
)
OIDC_NAME = env.text(
    "ACSSTREAM_OIDC_NAME",
    "single sign-on",
    purpose="Single sign-on: what the button calls it: Sign in with ….",
)
SSO_ONLY = env.flag(
    "ACSSTREAM_SSO_ONLY",
    False,
    purpose="Single sign-on alone: no password counts, but for ACSSTREAM_BREAK_GLASS.",
)
BREAK_GLASS = env.text(
    "ACSSTREAM_BREAK_GLASS",
    purpose="The one local account whose password counts then, for the day on which"
    " the identity provider is down.",
)

# --- Database, Redis, Celery ------------------------------------------------------
DATABASES = {
    "default": env.database(
        "DATABASE_URL",
        f"sqlite://{DATA_DIR / 'acsstream.sqlite3'}",
        shown="sqlite://<data>/acsstream.sqlite3",
        purpose="postgresql://user:password@host/name, or sqlite:///path.",
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.secret(
    "REDIS_URL",
    "redis://127.0.0.1:6379/0",
    purpose="Channel layer, Celery broker and live figures.",
)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "acsstream"},
    }
}
NODE = env.text(
    "ACSSTREAM_NODE",
    socket.gethostname(),
    shown="<host name>",
    purpose="This machine's name: journals are finished by a worker of their node.",
)
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "acsstream"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    # Redis hands a task that was not acknowledged to another worker after this long.
    "visibility_timeout": 600,
}
# Each expires before its next run is due: missed runs do not pile up.
CELERY_BEAT_SCHEDULE = {
    "sweep-commands": {
        "task": "calls.sweep_commands",
        "schedule": 5.0,
        "options": {"expires": 4},
    },
    "sweep-calls": {
        "task": "calls.sweep_calls",
        "schedule": 10.0,
        "options": {"expires": 9},
    },
    "sweep-alarms": {
        "task": "calls.sweep_alarms",
        "schedule": 5.0,
        "options": {"expires": 4},
    },
    "verify-commands": {
        "task": "calls.verify_commands",
        "schedule": 2.0,
        "options": {"expires": 2},
    },
    "reconcile": {
        "task": "calls.reconcile",
        "schedule": 10.0,
        "options": {"expires": 9},
    },
    "reap-audit": {
        "task": "calls.reap_audit",
        "schedule": 30.0,
        "options": {"expires": 29},
    },
    "check-audit": {
        "task": "calls.check_audit",
        "schedule": 3600.0,
        "options": {"expires": 3599},
    },
    # By the clock: a beat that is started anew each day does it, too.
    "clear-sessions": {
        "task": "calls.clear_sessions",
        "schedule": crontab(hour=3, minute=17),
        "options": {"expires": 3600},
    },
    "note-trend": {
        "task": "calls.note_trend",
        "schedule": 10.0,
        "options": {"expires": 9},
    },
}

# --- Azure Communication Services ------------------------------------------------
ACS_ENDPOINT = env.text(
    "ACSSTREAM_ACS_ENDPOINT",
    purpose="The ACS resource's endpoint, https://name.communication.azure.com.",
).rstrip("/")
ACS_ACCESS_KEY = env.secret(
    "ACSSTREAM_ACS_ACCESS_KEY", purpose="An access key of the ACS resource (base64)."
)
ACS_RESOURCE_ID = env.text(
    "ACSSTREAM_ACS_RESOURCE_ID",
    purpose="The ACS resource's immutable id, a GUID: the audience of ACS's tokens.",
)
ACS_OPENID_URL = env.text(
    "ACSSTREAM_ACS_OPENID_URL",
    "https://acscallautomation.communication.azure.com"
    "/calling/.well-known/acsopenidconfiguration",
    purpose="Discovery document of the keys that sign ACS's tokens.",
)
PUBLIC_URL = env.text(
    "ACSSTREAM_PUBLIC_URL",
    purpose="https://… under which ACS reaches the console's webhooks.",
).rstrip("/")
MEDIA_URL_BASE = env.text(
    "ACSSTREAM_MEDIA_URL",
    purpose="wss://… under which ACS reaches ingest.",
).rstrip("/")
AUTH_MODES = ("required", "log_only", "off")
MEDIA_AUTH = env.choice(
    "ACSSTREAM_MEDIA_AUTH",
    "required",
    AUTH_MODES,
    purpose="What a media socket must show: ACS's token and a per-call secret"
    " (required), the secret alone with all other faults logged (log_only), nothing"
    " (off: load tests on loopback).",
)
CALLBACK_AUTH = env.choice(
    "ACSSTREAM_CALLBACK_AUTH",
    "required",
    AUTH_MODES,
    purpose="Whether callbacks must carry ACS's token beside the secret in their URL.",
)
EVENTGRID_SECRET = env.secret(
    "ACSSTREAM_EVENTGRID_SECRET",
    purpose="Event Grid must call /webhooks/eventgrid?secret=<this>. Event Grid events"
    " are not signed by ACS.",
)

# --- Azure AI: what ACS transcribes with --------------------------------------------
COGNITIVE_ENDPOINT = env.text(
    "ACSSTREAM_COGNITIVE_ENDPOINT",
    purpose="Endpoint of the Azure AI services (Cognitive Services) resource by which"
    " ACS transcribes, https://name.cognitiveservices.azure.com. Empty: no call is"
    " transcribed.",
)

# --- Doors for machines -----------------------------------------------------------
EVENTGRID_AUDIENCE = env.text(
    "ACSSTREAM_EVENTGRID_AUDIENCE",
    purpose="Audience of the Entra token that Event Grid may show instead of the"
    " secret: the application id (URI) it is subscribed with. Empty: it shows none.",
)
EVENTGRID_ISSUER = env.text(
    "ACSSTREAM_EVENTGRID_ISSUER",
    purpose="Who issued that token: https://sts.windows.net/<tenant>/ (v1) or"
    " https://login.microsoftonline.com/<tenant>/v2.0.",
)
EVENTGRID_OPENID_URL = env.text(
    "ACSSTREAM_EVENTGRID_OPENID_URL",
    purpose="Discovery document of the keys that sign that token, https://login."
    "microsoftonline.com/<tenant>/v2.0/.well-known/openid-configuration.",
)
EVENTGRID_APP_ID = env.text(
    "ACSSTREAM_EVENTGRID_APP_ID",
    "4962773b-9cdb-44cf-a8bf-237846a00ab7",
    purpose="The application that token must name (appid or azp): Event Grid's own.",
)
KEYS_OUTAGE_HOURS = env.number(
    "ACSSTREAM_KEYS_OUTAGE_HOURS",
    24,
    least=1,
    most=720,
    purpose="For so many hours known signing keys stay in use while their server"
    " cannot be reached.",
)
SECRET_GRACE = env.number(
    "ACSSTREAM_SECRET_GRACE",
    600,
    least=60,
    most=86_400,
    purpose="Seconds after ACS said that a call is over for which its secret still"
    " opens: late callbacks come. Then it is dead.",
)
SOURCE_FAILURES = env.whole(
    "ACSSTREAM_SOURCE_FAILURES",
    30,
    purpose="Failed attempts a minute at sockets and webhooks after which a source's"
    " further failures are answered with 429. 0: no limit.",
)
SOURCE_SOCKETS = env.whole(
    "ACSSTREAM_SOURCE_SOCKETS",
    2000,
    purpose="Media and transcription sockets that one source may hold at an ingest"
    " process. 0: no limit.",
)
SOURCE_HANDSHAKES = env.whole(
    "ACSSTREAM_SOURCE_HANDSHAKES",
    256,
    least=8,
    purpose="Connections of one source to ingest that have not sent their whole"
    " request: above it the oldest is closed, once it is a second old.",
)

# --- Ingest -----------------------------------------------------------------------
JOURNAL_DIR = env.path(
    "ACSSTREAM_JOURNAL_DIR",
    DATA_DIR / "journals",
    shown="<data>/journals",
    purpose="Local disk for journals: all received audio until it is finished.",
)
RECORDINGS_DIR = env.path(
    "ACSSTREAM_RECORDINGS_DIR",
    DATA_DIR / "recordings",
    shown="<data>/recordings",
    purpose="Finished recordings, when they are kept in a local folder.",
)
MAX_STREAMS = env.whole(
    "ACSSTREAM_MAX_STREAMS",
    0,
    purpose="Media sockets an ingest process holds at most; 0: what it estimates it"
    " can.",
)
MIN_FREE_MB = env.whole(
    "ACSSTREAM_MIN_FREE_MB",
    256,
    purpose="Below this much free journal disk, new media sockets are refused.",
)
MAX_FRAME_BYTES = env.whole(
    "ACSSTREAM_MAX_FRAME_BYTES",
    262_144,
    least=4096,
    purpose="A larger WebSocket message closes its socket with code 1009.",
)
LEASE_SECONDS = env.whole(
    "ACSSTREAM_LEASE_SECONDS",
    15,
    least=5,
    purpose="An ingest process that has not renewed its lease for so long is dead.",
)

# --- Speaking into calls ----------------------------------------------------------
TALK_SECONDS = env.number(
    "ACSSTREAM_TALK_SECONDS",
    60,
    least=1,
    most=3600,
    purpose="Somebody at the console speaks into a call for so long at most, without"
    " letting go of the button.",
)

# --- Control and archive ----------------------------------------------------------
ACS_RATE = env.number(
    "ACSSTREAM_ACS_RATE",
    20,
    least=0,
    purpose="Requests a second that all workers together make to ACS for orders; more"
    " wait for their turn, answers and pauses excepted. Keep it below ACS's own limit."
    " 0: none.",
)
CALLER_IDS = [
    number.replace(" ", "")
    for number in env.words(
        "ACSSTREAM_CALLER_IDS",
        purpose="Phone numbers of ours that calls may be placed from, such as"
        " +12065550100. Empty: operators type one.",
    )
]
COMMAND_TIMEOUT = env.number(
    "ACSSTREAM_COMMAND_TIMEOUT",
    30,
    least=1,
    purpose="Seconds after which a command without evidence has timed out.",
)
FINISH_GRACE = env.number(
    "ACSSTREAM_FINISH_GRACE",
    120,
    least=0,
    purpose="Seconds without a socket after which the audio of a call that nobody said"
    " has ended is finished. Calls that ended are finished at once.",
)
PROMPT_MAX_SECONDS = env.number(
    "ACSSTREAM_PROMPT_MAX_SECONDS",
    180,
    least=1,
    # What may wait to be heard in a call.
    most=300,
    purpose="How long a prompt for calls may be, in seconds; 300 at most.",
)
PROMPT_MAX_MB = env.whole(
    "ACSSTREAM_PROMPT_MAX_MB",
    32,
    least=1,
    purpose="How large a file may be that is sent as a prompt, in MB.",
)

# --- Storage of recordings ----------------------------------------------------------
AZURE_CONTAINER = env.text(
    "ACSSTREAM_AZURE_CONTAINER",
    purpose="Container of Azure Blob Storage in which finished recordings are kept."
    " Empty: in a local folder.",
)
AZURE_ACCOUNT = env.text(
    "ACSSTREAM_AZURE_ACCOUNT",
    purpose="Name of the storage account it is in.",
)
AZURE_KEY = env.secret(
    "ACSSTREAM_AZURE_KEY",
    purpose="A key of that account. Empty, and no connection string either: the"
    " machine's own identity (managed identity).",
)
AZURE_CONNECTION_STRING = env.secret(
    "ACSSTREAM_AZURE_CONNECTION_STRING",
    purpose="A connection string, in place of account and key.",
)
AZURE_CLIENT_ID = env.text(
    "ACSSTREAM_AZURE_CLIENT_ID",
    purpose="Client id of the managed identity, if the machine has several.",
)
FOLDER_BACKEND = "django.core.files.storage.FileSystemStorage"
STORAGE_BACKEND = env.text(
    "ACSSTREAM_STORAGE_BACKEND",
    "calls.azure_blobs.AzureRecordings" if AZURE_CONTAINER else FOLDER_BACKEND,
    shown=FOLDER_BACKEND,
    purpose="Class of another Django storage for finished recordings.",
)
STORAGE_OPTIONS = env.json(
    "ACSSTREAM_STORAGE_OPTIONS",
    purpose="Options of the storage, as a JSON object.",
)
RETRY_SECONDS = env.number(
    "ACSSTREAM_RETRY_SECONDS",
    30,
    least=0.1,
    most=600,
    purpose="So long after it failed, recordings are tried to be made again; twice as"
    " long each time, up to 10 minutes, for ever.",
)
ROLLING_MINUTES = env.number(
    "ACSSTREAM_ROLLING_MINUTES",
    5,
    purpose="What a call that runs has received is copied to the storage so often, so"
    " that a lost machine costs no more. 0: never.",
)
SIGNED_URLS = env.whole(
    "ACSSTREAM_SIGNED_URLS",
    0,
    purpose="Browsers fetch audio from Azure itself, by addresses that are good for so"
    " many seconds. 0: all audio goes through the application.",
)


def storage_options() -> dict[str, object]:
    """Return the options of the storage of recordings."""
    if STORAGE_BACKEND.endswith("FileSystemStorage"):
        return STORAGE_OPTIONS or {"location": str(RECORDINGS_DIR), "base_url": None}
    if not STORAGE_BACKEND.endswith("AzureRecordings"):
        return STORAGE_OPTIONS
    by_environment = {
        "azure_container": AZURE_CONTAINER,
        "account_name": AZURE_ACCOUNT,
        "account_key": AZURE_KEY,
        "connection_string": AZURE_CONNECTION_STRING,
        "client_id": AZURE_CLIENT_ID,
    }
    return {name: value for name, value in by_environment.items() if value} | (
        STORAGE_OPTIONS
    )


STORAGES = {
    "default": {"BACKEND": FOLDER_BACKEND},
    "recordings": {"BACKEND": STORAGE_BACKEND, "OPTIONS": storage_options()},
    "staticfiles": {
        "BACKEND": "acsstream.static_files.StaticStorage"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- Alarms -----------------------------------------------------------------------
ALARM_THRESHOLDS = {
    limit.name: env.number(
        f"ACSSTREAM_ALARM_{limit.name.upper()}",
        limit.default,
        least=limit.least,
        most=limit.most,
        purpose=f"Alarm: {limit.purpose[0].lower()}{limit.purpose[1:]} 0: none.",
    )
    for limit in LIMITS
}
ALARM_COMMANDS = env.flag(
    "ACSSTREAM_ALARM_COMMANDS",
    True,
    purpose="Alarm: an order to ACS failed or timed out.",
)

# --- Handlers ---------------------------------------------------------------------
HANDLER_GRACE_SECONDS = env.number(
    "ACSSTREAM_HANDLER_GRACE_SECONDS",
    10,
    least=0,
    most=600,
    purpose="Seconds by which a call's handler outlives its last media socket: ACS"
    " redials.",
)

# --- The realtime service: what the handler `realtime` relays calls to --------------
REALTIME_SERVICE = env.choice(
    "ACSSTREAM_REALTIME_SERVICE",
    "openai",
    ("openai", "azure"),
    purpose="Whose realtime service it is: Azure wants its key as api-key.",
)
REALTIME_URL = env.text(
    "ACSSTREAM_REALTIME_URL",
    "https://api.openai.com/v1",
    purpose="Its API; https://<resource>.openai.azure.com/openai/v1 on Azure.",
)
REALTIME_KEY = env.secret(
    "ACSSTREAM_REALTIME_KEY", purpose="Its key. Empty: no call is relayed."
)
REALTIME_MODEL = env.text(
    "ACSSTREAM_REALTIME_MODEL",
    "gpt-realtime-2.1",
    purpose="The model, or Azure's deployment, unless a profile names another.",
)

# --- Pages ------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static_root"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "static"]
WAVESURFER = BASE_DIR / "node_modules" / "wavesurfer.js" / "dist"
# Without `npm ci` recordings play all the same, but have no waveform.
if WAVESURFER.is_dir():
    STATICFILES_DIRS.append(("vendor/wavesurfer", WAVESURFER))
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_PROXY
SECURE_SSL_REDIRECT = BEHIND_PROXY
# Probes and scrapers come from inside, past the proxy, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_PROXY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"

# --- Operating --------------------------------------------------------------------
METRICS_TOKEN = env.secret(
    "ACSSTREAM_METRICS_TOKEN",
    purpose="/metrics wants it as a bearer token. Empty: whoever reaches it may read.",
)
TRACES_URL = env.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    purpose="Where traces go by OTLP over HTTP, such as http://collector:4318. Needs"
    " what requirements-otel.txt has. Empty: there are none.",
)
# docker-compose.yml gives ingest half a minute more.
LONGEST_DRAIN = 300
DRAIN_SECONDS = env.number(
    "ACSSTREAM_DRAIN_SECONDS",
    0,
    most=LONGEST_DRAIN,
    purpose="Told to end, ingest takes no further socket and goes on with those it has"
    " for so long at most. 0: it closes them at once, and ACS dials again.",
)
WEB_DRAIN_SECONDS = env.number(
    "ACSSTREAM_WEB_DRAIN_SECONDS",
    10,
    purpose="Told to end, a web process gives requests under way so long.",
)
# --- Secrets ---------------------------------------------------------------------
# What Django shows of a failure has no secrets, whether DEBUG is on or not.
DEFAULT_EXCEPTION_REPORTER = "acsstream.discreet.DiscreetReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "acsstream.discreet.DiscreetFilter"

# --- Logs -------------------------------------------------------------------------
LOGGING_CONFIG = "acsstream.logs.configure"
LOGGING = logging_config(
    level=env.choice(
        "LOG_LEVEL",
        "INFO",
        ("DEBUG", "INFO", "WARNING", "ERROR"),
        purpose="The least severe log line that is written.",
    ),
    style=env.choice(
        "LOG_FORMAT", "text", ("text", "json"), purpose="How log lines are written."
    ),
    node=NODE,
)

# Misspelt names do nothing; a system check points at them.
UNKNOWN_VARIABLES = env.unknown("ACSSTREAM_")
env.finish()
