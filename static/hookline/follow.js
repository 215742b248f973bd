"use strict";

// Parts of a page that go on by themselves: those with `data-follow` and an id are taken from the same
// address again, until the server sends them without it. What has not changed stays as the reader left it.

const FOLLOW_MS = 1000;
const SLOWLY_MS = 5000;
const SLOWLY_AFTER_MS = 60_000;

const begun = Date.now();

function followed() {
  return [...document.querySelectorAll("[data-follow][id]")];
}

// As it was sent, less what only tells how long ago something was.
function asSent(part) {
  const copy = part.cloneNode(true);
  for (const small of copy.querySelectorAll("[data-ago]")) small.textContent = "";
  return copy.outerHTML;
}

const sent = new Map(followed().map((part) => [part.id, asSent(part)]));

function renew(page) {
  for (const part of followed()) {
    const newer = page.getElementById(part.id);
    if (!newer || asSent(newer) === sent.get(part.id)) continue;
    sent.set(part.id, asSent(newer));
    part.replaceWith(document.adoptNode(newer));
  }
}

async function follow() {
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { cache: "no-store", redirect: "error" });
      if (response.ok) renew(new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch {
      // The server is away; the page stays as it is, and asks again.
    }
  }
  again();
}

function again() {
  const isLong = Date.now() - begun > SLOWLY_AFTER_MS;
  if (followed().length) setTimeout(follow, isLong ? SLOWLY_MS : FOLLOW_MS);
}

again();
