"use strict";

// What strangers sent is only ever given to the page as text, never as markup.

const INBOX = "/v1/dev/inbox";
const REFRESH_MS = 2000;
const SHOWN = 100;
const DEEPEST = 30;
const KEY = "hl_api_key";
const TOKEN = "hl_inbox_token";

const at = (id) => document.getElementById(id);
let asked = 0;

function say(text, isFault = false) {
  if (at("state").textContent !== text) at("state").textContent = text;
  at("state").classList.toggle("fault", isFault);
}

async function call(method, path) {
  const headers = { Authorization: `Bearer ${at("key").value.trim()}` };
  const response = await fetch(path, { method, headers, cache: "no-store" });
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) throw new Error("This API key is not known here. Check it and try again.");
  throw new Error(answer.detail || answer.error);
}

// A body that is JSON is easier to read with its lines broken. JSON.parse would change long numbers
// and leave out repeated keys, so only the space between the parts is touched.
function laidOut(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  const line = () => "\n" + "  ".repeat(Math.min(depth, DEEPEST));
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[[{]\s*[\]}]|[[\]{},:]|\s+|[^\s[\]{},:"]+/g, (part) => {
    if (/^\s+$/.test(part)) return "";
    if (/^[[{]\s*[\]}]$/.test(part)) return part[0] + part.at(-1);
    if (part === "{" || part === "[") return depth++, part + line();
    if (part === "}" || part === "]") return depth--, line() + part;
    if (part === ",") return part + line();
    return part === ":" ? ": " : part;
  });
}

function drawn(message) {
  const item = at("message").content.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  const time = new Date(message.received_at);
  find("li").dataset.id = message.id;
  find("time").dateTime = time.toISOString();
  find("time").textContent = time.toLocaleString();
  find(".topic").textContent = message.headers["x-hl-topic"] || "";
  find(".size").textContent = `${new Blob([message.body]).size} bytes`;
  find(".body").textContent = laidOut(message.body);
  const headers = Object.entries(message.headers).map(([name, value]) => `${name}: ${value}`);
  find(".headers").textContent = headers.join("\n");
  return item;
}

// Messages that are on the page already stay as they are, with what the reader opened or selected.
function show(messages) {
  const list = at("messages");
  const ids = new Set(messages.map((message) => message.id));
  const there = new Set();
  for (const item of [...list.children]) {
    if (ids.has(item.dataset.id)) there.add(item.dataset.id);
    else item.remove();
  }
  for (const message of messages) if (!there.has(message.id)) list.prepend(drawn(message));
  const shown = messages.length === SHOWN ? `The newest ${SHOWN} messages` : `Messages: ${messages.length}`;
  say(messages.length ? `${shown}. This page refreshes itself.` : "Nothing has arrived yet. This page refreshes itself.");
}

function remember() {
  const token = at("token").value.trim();
  sessionStorage.setItem(KEY, at("key").value.trim());
  sessionStorage.setItem(TOKEN, token);
  at("address").hidden = !token;
  at("url").textContent = token && `${location.origin}${INBOX}/receive/${encodeURIComponent(token)}`;
}

async function refresh() {
  remember();
  const token = at("token").value.trim();
  const turn = ++asked;
  if (!at("key").value.trim()) return say("Enter an API key to begin. It is kept until you close this tab.");
  if (!token) return say("Enter an inbox, or make a new one.");
  try {
    const answer = await call("GET", `${INBOX}/messages?limit=${SHOWN}&token=${encodeURIComponent(token)}`);
    if (turn === asked) show(answer.items);
  } catch (fault) {
    if (turn === asked) failed(fault);
  }
}

// `fetch` fails with a TypeError where no answer came.
function failed(fault) {
  say(fault instanceof TypeError ? "HookLine could not be reached. Trying again." : fault.message, true);
  isRefused = !(fault instanceof TypeError);
}

// A key that was refused is not tried again and again.
let isRefused = false;

async function make() {
  isRefused = false;
  try {
    at("token").value = (await call("POST", INBOX)).token;
    at("messages").replaceChildren();
    await refresh();
  } catch (fault) {
    failed(fault);
  }
}

function choose(event) {
  event.preventDefault();
  isRefused = false;
  at("messages").replaceChildren();
  refresh();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(at("url").textContent);
    at("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(at("url"));
  }
}

at("choice").addEventListener("submit", choose);
at("new").addEventListener("click", make);
at("copy").addEventListener("click", copy);
at("key").value = sessionStorage.getItem(KEY) || "";
at("token").value = new URLSearchParams(location.search).get("token") || sessionStorage.getItem(TOKEN) || "";
refresh();
setInterval(() => document.hidden || isRefused || refresh(), REFRESH_MS);
