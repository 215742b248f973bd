// What any page of the console may ask for by attribute: copies, questions before a form is sent, dialogs,
// and times that go on. Texts are only ever set as text.

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const AGO_EVERY_MS = 10_000;

// navigator.clipboard is missing on plain http, where many run this.
function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  return isDone ? Promise.resolve() : Promise.reject(new Error("Copying was refused"));
}

// `data-copy` holds the text; `data-copy-from` names the element that does.
function textOf(place) {
  return place.dataset.copyFrom ? document.querySelector(place.dataset.copyFrom).textContent : place.dataset.copy;
}

function say(place, name) {
  place.classList.add(name);
  setTimeout(() => place.classList.remove(name), 1200);
}

function ago(then) {
  const seconds = (Date.now() - then) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS.at(-1);
  const number = Math.floor(Math.abs(seconds) / size);
  return seconds >= 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
}

function tick() {
  for (const small of document.querySelectorAll("time > [data-ago]")) {
    small.textContent = ago(Date.parse(small.parentElement.dateTime));
  }
}

document.addEventListener("click", (event) => {
  const copied = event.target.closest("[data-copy], [data-copy-from]");
  if (copied) copy(textOf(copied)).then(() => say(copied, "was-copied"), () => {});
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const other = document.querySelector("details.me[open]");
  if (other && !other.contains(event.target)) other.open = false;
});

// What changes something is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm || form.dataset.confirm;
  const isSent = form.method === "post" && form.classList.contains("is-sent");
  if (isSent || (question && !confirm(question))) return event.preventDefault();
  form.classList.add("is-sent");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form.is-sent")) form.classList.remove("is-sent");
});

const menuSwitch = document.querySelector(".menu-switch");
menuSwitch?.addEventListener("click", () => {
  const isOpen = document.getElementById("menu").classList.toggle("is-open");
  menuSwitch.setAttribute("aria-expanded", isOpen);
});

// On a phone the filters wait behind a word.
if (matchMedia("(max-width: 52rem)").matches) {
  for (const filter of document.querySelectorAll("details.filter:not([data-stays])")) filter.open = false;
}

// An address says only what was asked for.
for (const form of document.querySelectorAll("form.narrow")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
}

setInterval(() => document.hidden || tick(), AGO_EVERY_MS);
