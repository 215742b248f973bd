"""A mail server on the loopback, as small as RFC 5321 allows, that remembers what came."""

import base64
import email
import email.policy
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class Mail:
    """A message with its envelope, and who the sender said to be."""

    sender: str
    recipients: list[str]
    login: str
    message: EmailMessage


@dataclass
class Session:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    login: str = ""


class MailServer(ThreadingTCPServer):
    """Listens until it is closed. `refusal` is what it answers to every message, if anything."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[Mail] = []
        self.refusal = ""
        Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Mail]:
        deadline = time.monotonic() + seconds
        while len(self.mails) < count:
            assert time.monotonic() < deadline, f"{len(self.mails)} of {count} mails came"
            time.sleep(0.01)
        return self.mails

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Conversation(StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        session = Session()
        self._say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say("250-mail.test\r\n250 AUTH PLAIN")
                case "AUTH":
                    session.login = base64.b64decode(rest.split()[1]).decode().replace("\0", " ").strip()
                    self._say("235 welcome")
                case "MAIL":
                    session = Session(_address(rest), [], session.login)
                    self._say("250 ok")
                case "RCPT":
                    session.recipients.append(_address(rest))
                    self._say("250 ok")
                case "DATA":
                    self._take(session)
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _take(self, session: Session) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self.server.refusal:
            self._say(self.server.refusal)
            return
        parsed = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.mails.append(Mail(session.sender, session.recipients, session.login, parsed))
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _address(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]
