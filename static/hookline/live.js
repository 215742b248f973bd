// What happens, row by row. What strangers sent is only ever given to the page as text.

const KEPT = 200;
const HIDDEN_MS = 5 * 60_000;
const RETRY_MS = 3000;
const SIGNS = { success: "✓", failed: "✗", published: "⚡" };

const place = document.getElementById("live");
const rows = place.querySelector("tbody");
const pause = document.getElementById("pause");
const names = JSON.parse(document.getElementById("names").textContent);

let source = null;
let latest = "";
let isPaused = false;
let waiting = [];
let hiddenSince = 0;

function tell(text, isFault = false) {
  pause.classList.toggle("is-off", isPaused);
  pause.classList.toggle("is-bad", isFault);
  pause.setAttribute("aria-pressed", !isPaused);
  pause.querySelector("span").textContent = text;
}

function made(name, text = "", className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function link(list, id, text) {
  const anchor = made("a", text);
  anchor.href = `${list}${encodeURIComponent(id)}/change/`;
  return anchor;
}

function pill(word) {
  const span = made("span", "", `status ${word}`);
  span.append(made("i", SIGNS[word]), word);
  return span;
}

function time(milliseconds) {
  const text = new Date(milliseconds).toISOString();
  const element = made("time", text.slice(11, 23));
  element.dateTime = element.title = text;
  return element;
}

function about(told) {
  if (told.kind === "event") return [made("code", told.payload), ` ${told.bytes} bytes`];
  const answer = told.http_status || told.error || "";
  return [`${answer} in ${told.latency_ms} ms, `, link(place.dataset.attempt, told.attempt_id, `attempt ${told.attempt_n}`)];
}

function drawn(told) {
  const isEvent = told.kind === "event";
  const id = told.endpoint_id;
  const cells = [
    [time(told.at)],
    [pill(isEvent ? "published" : told.status)],
    [link(place.dataset.event, told.event_id, told.topic || "removed")],
    [told.tenant],
    isEvent ? [] : [link(place.dataset.endpoint, id, names[id] || `…${id.slice(-8)}`)],
    about(told),
  ];
  const row = made("tr");
  for (const parts of cells) {
    const cell = made("td");
    cell.append(...parts);
    row.append(cell);
  }
  row.lastElementChild.className = "detail";
  return row;
}

function show(told) {
  document.getElementById("quiet").hidden = true;
  rows.prepend(drawn(told));
  while (rows.children.length > KEPT) rows.lastElementChild.remove();
}

function hear(event) {
  latest = event.lastEventId;
  const told = JSON.parse(event.data);
  if (!isPaused) return show(told);
  waiting = [...waiting, told].slice(-KEPT);
  tell(`Paused, ${waiting.length} waiting`);
}

// The browser itself comes back after a break, with the last id; only a refusal is final.
async function failed() {
  if (source.readyState !== EventSource.CLOSED) return tell("Not reached; trying again", true);
  source = null;
  const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
  if (answer?.type === "opaqueredirect") return tell("Log in again", true);
  tell("Not reached; trying again", true);
  setTimeout(listen, RETRY_MS);
}

function listen() {
  if (source) return;
  const query = new URLSearchParams(location.search);
  if (latest) query.set("last", latest);
  source = new EventSource(`${place.dataset.stream}?${query}`);
  source.onopen = () => tell(isPaused ? "Paused" : "Live");
  source.onmessage = hear;
  source.onerror = failed;
}

function rest() {
  source?.close();
  source = null;
  tell("Resting");
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  if (!isPaused) waiting.splice(0).forEach(show);
  tell(isPaused ? "Paused" : "Live");
});

document.addEventListener("visibilitychange", () => {
  hiddenSince = document.hidden ? Date.now() : 0;
  if (!document.hidden) listen();
});
setInterval(() => hiddenSince && Date.now() - hiddenSince > HIDDEN_MS && rest(), 1000);
listen();
