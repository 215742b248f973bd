"""The one settings file: every HL_ variable is read here and nowhere else."""

from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

from deliveries.sending.guard import parse_allow
from hookline import __version__, failpoints
from hookline.environment import (
    choice,
    has_opentelemetry,
    parse_addresses,
    parse_certificates,
    parse_schedule,
    parse_smtp,
    url,
    warn,
)
from hookline.environment import environment as env
from hookline.keyring import parse_keys

BASE_DIR = Path(__file__).resolve().parent.parent

env.concern = "Where it listens"

HL_LISTEN_ADDR = env.text("HL_LISTEN_ADDR", "0.0.0.0", "Address to listen on.")
HL_PORT = env.integer("HL_PORT", 8080, "Port to listen on.", least=1, most=65535)
HL_PUBLIC_URL = env.value(
    "HL_PUBLIC_URL", "", "Base URL that people use, such as `https://hooks.example.com`. "
    "With https, session cookies are sent over TLS only.",
    url("https://hooks.example.com", "http", "https"),
)  # fmt: skip
HL_ALLOWED_HOSTS = env.text("HL_ALLOWED_HOSTS", "*", "Host names to answer, separated by commas.")

env.concern = "Its processes"

HL_WEB_WORKERS = env.integer("HL_WEB_WORKERS", 2, "Web processes (PostgreSQL with a broker).", least=1)
HL_WORKER_PROCESSES = env.integer(
    "HL_WORKER_PROCESSES", 2, "Celery worker processes (PostgreSQL with a broker).", least=1
)
HL_DRAIN_SECS = env.integer("HL_DRAIN_SECS", 8, "How long a stop waits for open requests.")

env.concern = "What it keeps"


def parse_backend(text: str) -> str:
    if text == "c":
        env.warnings.append("HL_STORE_BACKEND=c now means embedded; write embedded.")
        return "embedded"
    if text not in ("embedded", "postgres"):
        raise ValueError(f"write embedded or postgres, not {text!r}")
    return text


def parse_postgres_url(text: str) -> dict[str, object]:
    is_ours = text.startswith(("postgres://", "postgresql://"))
    parsed = dict(environ.Env.db_url_config(text)) if is_ours else {}
    if not parsed.get("NAME"):
        raise ValueError("write a URL such as postgres://user:password@host:5432/database")
    return parsed


HL_DATA_DIR = env.value(
    "HL_DATA_DIR", "var", "Directory of the embedded store and of generated secrets.",
    lambda text: (BASE_DIR / text).resolve(),
)  # fmt: skip
env.keep_secrets_in(HL_DATA_DIR)
HL_STORE_BACKEND = env.value(
    "HL_STORE_BACKEND", "embedded", "`embedded` (SQLite) or `postgres`.", parse_backend
)
EMBEDDED = HL_STORE_BACKEND == "embedded"
HL_POSTGRES_URL = env.text("HL_POSTGRES_URL", "", "`postgres://user:password@host:5432/database`.")
HL_STORE_POOL_SIZE = env.integer(
    "HL_STORE_POOL_SIZE", 8, "Database connections of each web process.", least=1, most=1000
)
HL_SQLITE_SYNCHRONOUS = env.value(
    "HL_SQLITE_SYNCHRONOUS", "FULL", "`FULL`, or `NORMAL` to lose the last moments at a power cut.",
    choice("FULL", "NORMAL"),
)  # fmt: skip
HL_REDIS_URL = env.value(
    "HL_REDIS_URL", "", "Broker that wakes the Celery workers: Redis, or any URL that Celery knows.",
    url("redis://:password@host:6379/0"),
)  # fmt: skip
HL_RETENTION_SECS = env.integer(
    "HL_RETENTION_SECS", 604_800, "How long finished events and their history are kept.", least=1
)
HL_PAYLOAD_RETENTION_SECS = env.integer(
    "HL_PAYLOAD_RETENTION_SECS", 0, "How long the payloads of finished events are kept, and what receivers "
    "answered: 0 means as long as the events.",
)  # fmt: skip
HL_COMPACT_INTERVAL_MS = env.integer(
    "HL_COMPACT_INTERVAL_MS", 3_600_000, "How often old data is removed.", least=1000
)

env.concern = "Who may come in"

HL_API_KEY = env.secret("HL_API_KEY", "Key with every scope. `serve` makes and keeps one if unset.", str)
HL_ADMIN_KEY = env.text("HL_ADMIN_KEY", "", "Second key with every scope.")
HL_TENANT_ID = env.text("HL_TENANT_ID", "default", "Tenant of the two keys above.")
HL_SINGLE_TENANT = env.boolean("HL_SINGLE_TENANT", True, "Kept for old installations; changes nothing.")
HL_MASTER_KEY = env.secret(
    "HL_MASTER_KEY", "Encrypts endpoint secrets: base64 or hex of 32 bytes, or `2:<key>,1:<key>` "
    "while keys are rotated. `serve` makes and keeps one if unset.", parse_keys,
)  # fmt: skip
HL_SECRET_KEY = env.secret(
    "HL_SECRET_KEY", "Signs console sessions. `serve` makes and keeps one if unset.", str
)
HL_CONSOLE_ENABLED = env.boolean("HL_CONSOLE_ENABLED", True, "Whether /console/ is served.")
HL_CONSOLE_PASS = env.secret(
    "HL_CONSOLE_PASS", "Password of operator `admin`. `serve` makes and keeps one if unset.", str
)

env.concern = "What producers may send"

HL_MAX_PAYLOAD_BYTES = env.integer("HL_MAX_PAYLOAD_BYTES", 524_288, "Largest event, in bytes.", least=1)
HL_MAX_QUEUE_DEPTH = env.integer("HL_MAX_QUEUE_DEPTH", 100_000, "Pending jobs per tenant before 429.")
HL_UPLOADS_ENABLED = env.boolean("HL_UPLOADS_ENABLED", False, "Changes only the text of the 501.")

env.concern = "How it delivers"

HL_DELIVERY_WORKERS = env.integer(
    "HL_DELIVERY_WORKERS", 512, "Requests in flight per worker process. If unset, those that wait "
    "long for their receiver do not count, up to sixteen times as many.", least=1, most=10_000
)  # fmt: skip
SLOTS_EXTEND = not env.is_given("HL_DELIVERY_WORKERS")
HL_JOB_LEASE_SECS = env.integer(
    "HL_JOB_LEASE_SECS", 60, "How long a worker owns a job before another may take it.", least=1
)
HL_RETRY_SCHEDULE = env.value(
    "HL_RETRY_SCHEDULE", "5s 30s 2m 10m 30m 1h 3h 6h 12h 24h 24h",
    "Delays before the second and later attempts, each lengthened by 0 to 20 %.", parse_schedule,
)  # fmt: skip
HL_RETRY_MAX_ATTEMPTS = env.integer(
    "HL_RETRY_MAX_ATTEMPTS", len(HL_RETRY_SCHEDULE) + 1, "Attempts per job, counting the first.", least=1
)
HL_DISABLE_AFTER_SECS = env.integer(
    "HL_DISABLE_AFTER_SECS", 432_000, "An endpoint whose every attempt has failed for so long is disabled, "
    "and tried now and then until it is back. 0 means never.",
)  # fmt: skip
HL_EGRESS_ALLOW = env.value(
    "HL_EGRESS_ALLOW", "127.0.0.0/8,::1/128" if EMBEDDED else "",
    "Private networks that deliveries may reach: CIDRs, each with optional ports as in "
    "`10.20.0.0/16:443:8443`. Empty with PostgreSQL.", parse_allow,
)  # fmt: skip
HL_CA_BUNDLE = env.value(
    "HL_CA_BUNDLE", "", "PEM file of authorities to trust besides certifi's.", parse_certificates
)
HL_DEV_INBOX = env.boolean(
    "HL_DEV_INBOX", EMBEDDED, "Whether the development inbox is served. Off with PostgreSQL."
)
HL_DEMO_INBOX = env.boolean(
    "HL_DEMO_INBOX", False, "Makes an inbox and a `#` subscription if the tenant has no endpoint."
)

env.concern = "What it tells"

HL_LOG_FORMAT = env.value(
    "HL_LOG_FORMAT", "text", "`text`, or `json` for one object a line.", choice("text", "json")
)
HL_METRICS_LABELS = env.integer(
    "HL_METRICS_LABELS", 1000, "How many tenants, endpoints and topics have series of their own in /metrics, "
    "of each so many; what comes later is counted together, as `other`.", most=10_000,
)  # fmt: skip
HL_LOG_LEVEL = env.value(
    "HL_LOG_LEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    choice("DEBUG", "INFO", "WARNING", "ERROR"),
)  # fmt: skip

HL_OTEL_ENDPOINT = env.value(
    "HL_OTEL_ENDPOINT", "", "Collector of OpenTelemetry for traces over OTLP/HTTP, such as "
    "`http://localhost:4318`. Needs `deploy/otel/requirements.txt`.",
    url("http://localhost:4318", "http", "https"),
)  # fmt: skip
OTEL_IS_ON = bool(HL_OTEL_ENDPOINT) or env.names_a_collector()
if OTEL_IS_ON and not has_opentelemetry():
    if HL_OTEL_ENDPOINT:
        env.problems.append("HL_OTEL_ENDPOINT: install deploy/otel/requirements.txt.")
    else:  # somebody sets these for all that runs on a machine
        warn(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and nothing is traced: install deploy/otel/requirements.txt."
        )
    OTEL_IS_ON = False

env.concern = "Whom it tells"

HL_ALERT_URL = env.value(
    "HL_ALERT_URL",
    "",
    "Where to POST alerts as JSON.",
    url("https://ops.example.com/alerts", "http", "https"),
)
HL_ALERT_SECRET = env.text(
    "HL_ALERT_SECRET", "", "Signs them by Standard Webhooks: `whsec_` and base64, or any text."
)
HL_ALERT_SLACK_URL = env.value(
    "HL_ALERT_SLACK_URL", "", "Where to POST alerts as messages for Slack, or what understands those.",
    url("https://hooks.slack.com/services/…", "http", "https"),
)  # fmt: skip
HL_ALERT_EMAIL = env.value(
    "HL_ALERT_EMAIL", "", "Who gets alerts by mail, separated by commas. Needs HL_SMTP_URL.", parse_addresses
)
HL_ALERT_FROM = env.value("HL_ALERT_FROM", "hookline@localhost", "The sender of that mail.", parse_addresses)
HL_SMTP_URL = env.value(
    "HL_SMTP_URL", "", "Mail server: `smtp+tls://user:password@host:587`; `smtp+ssl` for TLS from the start, "
    "`smtp` for none.", parse_smtp,
)  # fmt: skip
HL_ALERT_LATE_SECS = env.integer(
    "HL_ALERT_LATE_SECS", 120, "Tell when a delivery that nothing but workers holds up is late by so much. "
    "0 means never.",
)  # fmt: skip
HL_ALERT_DLQ_SIZE = env.integer(
    "HL_ALERT_DLQ_SIZE",
    1000,
    "Tell when there are so many dead letters, and at each doubling. 0 means never.",
)
if HL_ALERT_EMAIL and not HL_SMTP_URL:
    env.problems.append("HL_ALERT_EMAIL: mail needs a server; set HL_SMTP_URL, too.")

env.concern = "For tests of what is thrown away afterwards"

HL_THROWAWAY = env.boolean(
    "HL_THROWAWAY", False, "Says that this is a test's installation, never a real one."
)
HL_FAILPOINTS = env.value(
    "HL_FAILPOINTS", "", "Where `make chaos` ends processes; refused without HL_THROWAWAY.", failpoints.parse
)
if HL_FAILPOINTS and not HL_THROWAWAY:
    env.problems.append("HL_FAILPOINTS: it kills processes; unset it, as this is no throw-away installation.")

# --- Django -------------------------------------------------------------------------------

DEBUG = False
SECRET_KEY = HL_SECRET_KEY or "unset: `serve` makes one; see hookline.checks"
ALLOWED_HOSTS = [host.strip() for host in HL_ALLOWED_HOSTS.split(",")]
ROOT_URLCONF = "hookline.urls"
WSGI_APPLICATION = "hookline.wsgi.application"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "django.test.runner.DiscoverRunner"

INSTALLED_APPS = [
    "hookline.apps.HookLineConfig",
    "tenants",
    "deliveries",
    "hookline.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.humanize",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "hookline.middleware.name",
    "hookline.middleware.measure",
    "hookline.middleware.tell_length",
    "hookline.middleware.read_what_is_still_sent",
    "hookline.middleware.tolerate_trailing_slash",
    "django.middleware.security.SecurityMiddleware",
    "hookline.middleware.for_pages",
    "django.middleware.csrf.CsrfViewMiddleware",  # not among those of pages: Django looks for it here
]
PAGE_MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# The admin looks for its middleware in MIDDLEWARE, and finds none of PAGE_MIDDLEWARE.
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]

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
            ]
        },
    }
]

# --- Sessions of the console --------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HL_PUBLIC_URL.startswith("https://")
# A proxy that ends TLS passes plain HTTP on, which Django would take for another origin.
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(HL_PUBLIC_URL))] if HL_PUBLIC_URL else []
LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "admin:index", "admin:login"
CSRF_FAILURE_VIEW = "hookline.console.faults.forged"

# --- Pages --------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# A clean clone serves its files from where they lie; there is no step before the start.
WHITENOISE_USE_FINDERS = True

# Pages show what strangers sent: nothing inline runs, and nothing is fetched from another host.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- The store ----------------------------------------------------------------------------

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": HL_DATA_DIR / "hookline.sqlite3",
    "OPTIONS": {
        # Deferred transactions that turn into writers fail at once instead of waiting.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL;"
            f"PRAGMA synchronous={HL_SQLITE_SYNCHRONOUS};"
            "PRAGMA cache_size=-20000;"
            "PRAGMA journal_size_limit=67108864;"
        ),
    },
}


def postgres() -> dict[str, object]:
    try:
        parsed = parse_postgres_url(HL_POSTGRES_URL)
    except ValueError as fault:
        env.problems.append(f"HL_POSTGRES_URL: {fault}")
        return {"ENGINE": "django.db.backends.dummy"}
    # A pool that fails to connect waits twice as long each time, up to `reconnect_timeout`, and so
    # long nobody else may try: after an outage of minutes it would be away for minutes more.
    pool = {
        "min_size": 0,
        "max_size": HL_STORE_POOL_SIZE,
        "timeout": 5,
        "max_idle": 300,
        "reconnect_timeout": 1,
    }
    return parsed | {
        "CONN_MAX_AGE": 0,
        # PgBouncer gives each transaction another connection, so nothing may outlive one.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": dict(parsed.get("OPTIONS", {})) | {"pool": pool},  # type: ignore[call-overload]
    }


DATABASES = {"default": SQLITE if EMBEDDED else postgres()}

# Every variable has been read by now.
env.complete()

# --- The API ------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["hookline.wire.AnyBody"],
    "DEFAULT_RENDERER_CLASSES": ["hookline.wire.Json"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "hookline.wire.AlwaysJson",
    "DEFAULT_SCHEMA_CLASS": "hookline.openapi.Operation",
    "EXCEPTION_HANDLER": "hookline.api.answer_error",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "HookLine",
    "DESCRIPTION": (
        "Publish events; HookLine delivers them, signed, to the endpoints that subscribe to them.\n\n"
        "Bodies are JSON whatever their content type says. Fields that are not known are never "
        "refused, and null means that a field was left out. Methods that are not listed answer 405."
    ),
    "VERSION": __version__,
    "SCHEMA_PATH_PREFIX": "/v1",
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": ["hookline.openapi.add_health"],
}

# --- Celery -------------------------------------------------------------------------------

CELERY_BROKER_URL = HL_REDIS_URL or "memory://localhost"
# The in-process broker looks for messages once a second unless told otherwise. To Redis, a
# publisher may hold on for 0.2 s; a consumer waits longer than one blocking read.
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "global_keyprefix": "hookline:",
    }
    if HL_REDIS_URL
    else {"polling_interval": 0.02}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "hookline"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Celery would close the pool of connections around each task, and sweeps use it in other threads.
CELERY_DB_REUSE_MAX = 2**31
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "deliveries.sweep", "schedule": 5.0, "options": {"expires": 5}},
}
# Beat keeps its state in memory: it is a nudge, and nothing is lost when it forgets.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

# --- Logs ---------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": f"hookline.logs.{HL_LOG_FORMAT.title()}"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": HL_LOG_LEVEL},
    # What others tell of every request, message and connection is of no use to an operator.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.request": {"level": "ERROR"},
        # Whoever sends a name that is not ours is answered 400, as often as they like.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "_granian": {"level": "ERROR"},
        "psycopg.pool": {"level": "ERROR"},
    },
}
