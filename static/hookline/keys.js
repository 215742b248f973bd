// The console by keyboard. `data-key` on a control says which key presses it, or enters it if it is a
// field; `data-go` on a link which key after g follows it. Rows are those of the first `.results` table.

const FIELDS = "input:not([type=checkbox]):not([type=radio]):not([type=submit]):not([type=button]), textarea, select, [contenteditable]";
const GO_WITHIN_MS = 1500;

let wentAt = 0;

const rows = () => [...document.querySelectorAll(".results tbody tr")];
const here = () => document.querySelector(".results tr.is-here");

function step(by) {
  const all = rows();
  if (!all.length) return;
  const now = all.indexOf(here());
  const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1);
  here()?.classList.remove("is-here");
  all[next].classList.add("is-here");
  all[next].scrollIntoView({ block: "nearest" });
}

function open() {
  const link = here()?.querySelector("a[href]");
  if (link) location.assign(link.href);
  return Boolean(link);
}

function mark() {
  here()?.querySelector("input[type=checkbox]")?.click();
}

const STEPS = { j: () => step(1), k: () => step(-1), x: mark };

function press(key) {
  const control = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!control || control.disabled) return false;
  if (control.matches(FIELDS)) {
    control.focus();
    control.select?.();
  } else {
    control.click();
  }
  return true;
}

function go(key) {
  const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
  if (link) location.assign(link.href);
  return Boolean(link);
}

function heard(key) {
  const isGoing = Date.now() - wentAt < GO_WITHIN_MS;
  wentAt = key === "g" && !isGoing ? Date.now() : 0;
  if (isGoing) return go(key);
  if (STEPS[key]) {
    STEPS[key]();
    return true;
  }
  if (key === "Enter" && document.activeElement === document.body) return open();
  return press(key);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches(FIELDS)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (heard(event.key)) event.preventDefault();
});
