"""What exists in every installation: the tenant of its own keys, operator `admin`, and the roles.

Made after migrations have run, whether they did anything or not, so that it is also there after
`psql -f hookline/sql/001_initial.sql`.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from deliveries import endpoints, inbox
from deliveries.models import Endpoint
from deliveries.sending import signatures
from hookline import roles
from tenants.models import Tenant

OPERATOR = "admin"
DEMO = "Demo Inbox"


def furnish(**signal: Any) -> None:
    """Receives post_migrate. The operator cannot log in until there is a password."""
    if not {"tenants", "auth_user"} <= set(connection.introspection.table_names()):
        return  # someone migrates some applications only
    Tenant.objects.get_or_create(id=settings.HL_TENANT_ID, defaults={"name": settings.HL_TENANT_ID})
    if not User.objects.filter(username=OPERATOR).exists():
        User.objects.create_superuser(OPERATOR)
    roles.keep()


def set_console_password() -> None:
    """Gives the operator the password of HL_CONSOLE_PASS, unless it is that already: a change
    ends the operator's sessions."""
    operator = User.objects.filter(username=OPERATOR).first()
    password = settings.HL_CONSOLE_PASS
    if operator and password and not operator.check_password(password):
        operator.set_password(password)
        operator.save(update_fields=["password"])


def make_demo_inbox(base_url: str) -> None:
    """An endpoint that receives every event, if the installation's tenant has no endpoint."""
    if Endpoint.objects.filter(tenant_id=settings.HL_TENANT_ID).exists():
        return
    url = f"{base_url}/v1/dev/inbox/receive/{inbox.new_token()}"
    values = {"name": DEMO, "url": url, "secret": signatures.new_secret()}
    endpoint = endpoints.create(settings.HL_TENANT_ID, values, {}, "serve")
    endpoints.subscribe(endpoint, {"topic_pattern": "#"}, {}, "serve")
