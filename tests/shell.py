"""What documents tell people to type, read without running it: which programs, and with which words."""

import re
import shlex
from collections.abc import Iterator

PARTING = ";&|()\n"
REDIRECTION = {"<", ">", ">>", "<<<", "2>"}
# What a shell does itself, before a command's own first word.
LEADING = {"do", "done", "for", "if", "then", "else", "fi", "while", "until", "in", "{", "}", "!"}
COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
ASSIGNMENT = re.compile(r"\w+=")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "bash")


def fences_of(text: str) -> list[tuple[str, str]]:
    """Language and text of each block of code in a document."""
    return FENCE.findall(text)


def commands_of(block: str) -> Iterator[list[str]]:
    """The words of each command in a block of shell lines, also of those in $( )."""
    lexer = shlex.shlex(COMMENT.sub("", block), posix=True, punctuation_chars=PARTING + "<>")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    around: list[list[str]] = []
    for token in lexer:
        if not set(token) <= set(PARTING):
            words.append(token)
            continue
        if token.startswith("(") and words[-1:] and words[-1].endswith("$"):
            around.append(words)
            words = []
        elif token.startswith(")") and around:
            yield from _command(words)
            words = around.pop()
            if "\n" in token:
                yield from _command(words)
                words = []
        else:
            yield from _command(words)
            words = []
    yield from _command(words)


def _command(words: list[str]) -> Iterator[list[str]]:
    if words[:1] == ["for"]:
        return
    while words and (words[0] in LEADING or ASSIGNMENT.match(words[0])):
        words = words[1:]
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word not in REDIRECTION and before not in REDIRECTION
    ]
    if kept and kept != ["$"]:
        yield kept
