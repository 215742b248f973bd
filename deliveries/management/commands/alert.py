"""Alerts from a shell: whether they arrive, and which hold now."""

from typing import Any

from deliveries.alerts import channels, sentences
from deliveries.alerts.channels import NotTold
from deliveries.models import Alert
from hookline.commands import Action, Verbs, table
from hookline.database import now
from hookline.environment import refuse
from hookline.ids import uuid7


class Test(Action):
    help = "Send a test over every alert channel that is set. Ends with status 1 if one did not take it."
    example = "alert test"

    def work(self, **options: Any) -> None:
        names = channels.configured()
        if not names:
            refuse("No alert channel is set: set HL_ALERT_URL, HL_ALERT_SLACK_URL or HL_ALERT_EMAIL.")
        if sum(map(self._send, names)) < len(names):
            raise SystemExit(1)

    def _send(self, name: str) -> bool:
        try:
            channels.tell(name, uuid7(), [sentences.of_test(now())])
        except NotTold as fault:
            self.tell(f"{name}: not taken ({fault})", channel=name, taken=False, error=str(fault))
            return False
        self.tell(f"{name}: taken", channel=name, taken=True)
        return True


class List(Action):
    help = "List what is amiss now."
    example = "alert list --json"

    def work(self, **options: Any) -> None:
        alerts = list(Alert.objects.filter(is_firing=True).order_by("since"))
        if self.is_json:
            for alert in alerts:
                self.tell("", key=alert.key, kind=alert.kind, since=alert.since, sentence=alert.text)
        elif alerts:
            for line in table(
                [(f"{alert.since:%Y-%m-%d %H:%M}", alert.kind, alert.text) for alert in alerts]
            ):
                self.tell(line)
        else:
            self.tell("Nothing is amiss.")


class Command(Verbs):
    help = "Test the alert channels, and list what is amiss. Example: manage.py alert test"
    verbs = {"test": Test, "list": List}
