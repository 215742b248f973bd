// A part of a page that is fetched anew every so many seconds, as long as somebody looks at it.

const part = document.querySelector("[data-refresh]");
const toggle = document.querySelector("[data-refresh-switch]");
let isOn = true;

function tell(text, isFault = false) {
  toggle.classList.toggle("is-off", !isOn);
  toggle.classList.toggle("is-bad", isFault);
  toggle.setAttribute("aria-pressed", isOn);
  toggle.querySelector("span").textContent = text;
}

// Whoever types is not interrupted.
const isBusy = () => document.hidden || part.contains(document.activeElement);

async function refresh() {
  if (!isOn || isBusy()) return;
  const place = new URL(location);
  place.searchParams.set("figures", "1");
  try {
    const answer = await fetch(place, { cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") return tell("Log in again", true);
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    part.replaceChildren(...page.body.childNodes);
    tell("Live");
    if (part.querySelector("[data-refresh-ends]")) location.reload();
  } catch {
    tell("Not reached; trying again", true);
  }
}

toggle.addEventListener("click", () => {
  isOn = !isOn;
  tell(isOn ? "Live" : "Paused");
  refresh();
});
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, Number(part.dataset.refresh) * 1000);
