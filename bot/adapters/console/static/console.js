// The console with a script: messages arrive by themselves, forms stay on the page, the line completes.
// Without it every form and link here works as well, by loading a page.
"use strict";

const here = document.body.dataset;
const talk = `/console/${here.me}/-/`;
const ahead = Date.parse(here.now) - Date.now(); // the desk's clock may differ from this machine's
document.documentElement.classList.add("live");

// Talking to the desk -----------------------------------------------------------------------------

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

async function post(form, submitter, path) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  const answer = await fetch(path, { method: "POST", body: fields, headers: { Accept: "application/json" } });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.problem || "The desk did not answer. Try again in a moment.");
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  if (form.ariaBusy === "true") return; // a second click while the first is on its way
  form.ariaBusy = "true";
  closeMenus();
  complain(form, "");
  try {
    const answer = await (await post(form, event.submitter, form.action)).json();
    const shown = answer.events.map(takeIn).filter(Boolean);
    form.elements.key.value = newKey(); // what is sent next is something new
    if ("speak" in form.dataset) spoken(form);
    attend(shown, form);
  } catch (error) {
    // The key stays: sent again, it is the same thing and happens once.
    complain(form, error instanceof TypeError ? "The desk cannot be reached. Your text is kept; try again." : error.message);
  } finally {
    form.ariaBusy = null;
  }
});

function complain(form, sentence) {
  const place = form.querySelector(".problem") || document.querySelector("form.speak .problem");
  place.textContent = sentence;
}

// After an answer the focus is where one goes on: the first wrong field, a new form, or the line.
function attend(shown, form) {
  const wrong = shown.map((each) => each.querySelector("[aria-invalid=true]")).find(Boolean);
  const asked = shown.map((each) => each.querySelector("[data-form] :is(select, textarea, input:not([type=hidden]))")).find(Boolean);
  const last = shown.at(-1);
  if (last) last.scrollIntoView({ block: "nearest" });
  if (wrong) (wrong.matches("fieldset") ? wrong.querySelector("input") : wrong).focus();
  else if (asked) asked.focus();
  else if ("form" in form.dataset) (document.getElementById("line-t") || document.getElementById("line-m")).focus();
  else if (!form.isConnected && last) last.focus();
}

const turns = new WeakMap();

function keep(field, values) {
  if (!values.length) return;
  if (field.type === "radio" || field.type === "checkbox") field.checked = values.includes(field.value);
  else if (field.localName !== "select" || [...field.options].some((each) => each.value === values[0])) field.value = values[0];
}

// Questions that depend on an answer are asked for anew, and the focus stays in its field.
document.addEventListener("change", async (event) => {
  const form = event.target.closest("[data-form]");
  if (!form || !("steers" in event.target.dataset)) return;
  const turn = (turns.get(form) || 0) + 1;
  turns.set(form, turn);
  const answer = await post(form, null, `${talk}draft`).catch(() => null);
  if (!answer || answer.status === 204) return;
  const anew = await answer.text();
  if (turns.get(form) !== turn) return; // a later answer has asked again meanwhile
  const at = document.activeElement;
  const { name, value } = at;
  const fields = form.querySelector("[data-fields]");
  const given = new FormData(form); // what was filled in while the answer was on its way stays
  fields.innerHTML = anew;
  for (const each of fields.querySelectorAll("input, select, textarea")) keep(each, given.getAll(each.name));
  if (!at.isConnected && name) {
    const again = [...form.elements].filter((each) => each.name === name);
    (again.find((each) => each.type !== "radio" || each.value === value) || again[0])?.focus();
  }
});

// Taking messages in ------------------------------------------------------------------------------

function takeIn({ pane, id, changed, html, room }) {
  if (room !== undefined) return stir(room, changed);
  const log = document.getElementById(`log-${pane}`);
  const old = document.getElementById(pane + id);
  if (!log || (old && Number(old.dataset.changed) > changed)) return null;
  saw(here.room, changed);
  if (!html) return void old?.remove();
  const holder = document.createElement("template");
  holder.innerHTML = html; // escaped by the server, and no script can run here but this one
  const message = holder.content.querySelector("li.message");
  if (old) return replace(old, message);
  place(log, message, id);
  return message;
}

function replace(old, message) {
  const at = old.contains(document.activeElement) ? document.activeElement : null;
  // Nothing is taken away from someone who is filling it in: the same version changes nothing for them.
  if (at?.closest("[data-form]") && old.dataset.changed === message.dataset.changed) return old;
  old.replaceWith(message);
  if (at) [...message.querySelectorAll(at.localName)].find((each) => each.textContent === at.textContent)?.focus();
  return message;
}

function place(log, message, id) {
  const pane = log.id.slice(4);
  const all = [...log.querySelectorAll(":scope > .message")];
  const next = all.find((each) => Number(each.id.slice(pane.length)) > id);
  if (next && next === all[0]) return; // older than what this page shows
  if (next) return void next.before(message);
  const { day, dayWords } = message.dataset;
  if (all.at(-1)?.dataset.day !== day) {
    const line = document.createElement("li");
    line.className = "day";
    line.append(Object.assign(document.createElement("span"), { textContent: dayWords }));
    log.append(line);
  }
  log.append(message);
}

// What is unread is known to this browser alone.
const seenKey = (room) => `deskbell/seen/${here.me}/${room}`;
const seen = (room) => Number(localStorage.getItem(seenKey(room)) || 0);
const saw = (room, changed) => changed > seen(room) && localStorage.setItem(seenKey(room), changed);

function stir(room, changed) {
  const link = document.querySelector(`[data-link="${CSS.escape(room)}"]`);
  if (link) link.querySelector(".unread").hidden = changed <= seen(room);
  return null;
}

for (const link of document.querySelectorAll("[data-link]")) {
  const { link: room, newest } = link.dataset;
  if (localStorage.getItem(seenKey(room)) === null || room === here.room) saw(room, Number(newest));
  stir(room, Number(newest));
}

// Live --------------------------------------------------------------------------------------------

let after = here.changes;
let stream = null;

function listen() {
  stream = new EventSource(`${talk}live?${new URLSearchParams({ room: here.room, thread: here.thread, after })}`);
  const lost = document.querySelector("[data-lost]");
  stream.onopen = () => (lost.textContent = "");
  stream.onerror = () => {
    lost.textContent = "Not connected. Trying again…";
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
  stream.onmessage = ({ data, lastEventId }) => {
    after = lastEventId;
    takeIn(JSON.parse(data));
  };
  stream.addEventListener("reset", () => location.reload());
}

// A browser allows few streams to one machine, so a page that nobody looks at gives its own back.
document.addEventListener("visibilitychange", () => {
  stream?.close();
  if (!document.hidden) listen();
});
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", ({ persisted }) => persisted && listen());
if (!document.hidden) listen();

// How far away an instant is: the same words as words.distance.
function distance(seconds) {
  const size = Math.abs(seconds);
  if (size < 60) return "now";
  const [unit, name] = size < 3600 ? [60, "min"] : size < 172800 ? [3600, "h"] : [86400, "days"];
  const amount = `${Math.floor(size / unit)} ${name}`;
  return seconds > 0 ? `in ${amount}` : `${amount} ago`;
}

setInterval(() => {
  const now = Date.now() + ahead;
  for (const each of document.querySelectorAll("[data-relative]")) {
    const text = `(${distance((Date.parse(each.dataset.relative) - now) / 1000)})`;
    if (each.textContent !== text) each.textContent = text;
  }
}, 15000);

// Menus -------------------------------------------------------------------------------------------

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open], details.me[open]")) {
    if (!menu.contains(but)) menu.open = false;
  }
}

document.addEventListener("click", ({ target }) => closeMenus(target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest("details[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (location.hash === "#rooms") location.hash = "";
});

// The line: completion as a WAI-ARIA combobox, and earlier lines ----------------------------------

const linesKey = `deskbell/lines/${here.me}`;
const earlier = JSON.parse(sessionStorage.getItem(linesKey) || "[]");
const lines = new Map();

class Line {
  constructor(form) {
    this.form = form;
    this.input = form.elements.line;
    this.offers = [];
    this.at = -1;
    this.back = earlier.length;
    this.asked = 0;
    this.list = document.createElement("ul");
    this.list.id = `${this.input.id}-offers`;
    this.list.className = "offers";
    this.list.role = "listbox";
    this.list.ariaLabel = "Ways to go on";
    this.list.hidden = true;
    this.input.before(this.list);
    const roles = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id };
    for (const [name, value] of Object.entries(roles)) this.input.setAttribute(name, value);
    this.input.addEventListener("input", () => this.ask());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.show([]), 150));
  }

  async ask() {
    this.point(-1);
    const asked = ++this.asked;
    const query = new URLSearchParams({ line: this.input.value, room: here.room, thread: here.thread });
    const answer = await fetch(`${talk}complete?${query}`).then((each) => each.json()).catch(() => null);
    // An answer to what was typed before is too late.
    if (asked === this.asked && document.activeElement === this.input) this.show(answer?.offers || []);
  }

  show(offers) {
    // Who points before the newest list has come means the list that they will see.
    const pointed = this.offers[this.at]?.label;
    this.offers = offers;
    this.list.replaceChildren(...offers.map((offer, number) => this.option(offer, number)));
    this.list.hidden = !offers.length;
    this.input.ariaExpanded = String(offers.length > 0);
    const again = offers.findIndex((offer) => offer.label === pointed);
    this.point(pointed !== undefined && offers.length ? Math.max(again, 0) : -1);
  }

  option(offer, number) {
    const option = document.createElement("li");
    option.id = `${this.list.id}-${number}`;
    option.role = "option";
    const label = Object.assign(document.createElement("b"), { textContent: offer.label });
    const hint = Object.assign(document.createElement("span"), { textContent: offer.hint });
    option.append(label, " ", hint);
    option.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.take(number);
    });
    return option;
  }

  point(at) {
    this.at = at;
    [...this.list.children].forEach((option, number) => (option.ariaSelected = String(number === at)));
    this.list.children[at]?.scrollIntoView({ block: "nearest" });
    if (at < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `${this.list.id}-${at}`);
  }

  take(number) {
    this.input.value = this.offers[number].line;
    this.input.focus();
    this.ask();
  }

  key(event) {
    const { key } = event;
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const open = !this.list.hidden;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (open && key in steps) {
      const count = this.offers.length + 1; // one place more, for the line as it was typed
      this.point(((this.at + 1 + steps[key] + count) % count) - 1);
    } else if (open && this.at >= 0 && ["Enter", "Tab"].includes(key)) this.take(this.at);
    else if (key === "Escape") {
      this.asked++; // nor does one open that is on its way
      this.show([]);
    } else if (key === "ArrowUp") this.recall(-1);
    else if (key === "ArrowDown" && this.back < earlier.length) this.recall(1);
    else {
      if (key === "Enter") this.asked++;
      return;
    }
    event.preventDefault();
  }

  recall(step) {
    this.back = Math.min(Math.max(this.back + step, 0), earlier.length);
    this.input.value = earlier[this.back] || "";
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  sent() {
    const line = this.input.value.trim();
    if (line && line !== earlier.at(-1)) earlier.push(line);
    sessionStorage.setItem(linesKey, JSON.stringify(earlier.slice(-50)));
    this.back = earlier.length;
    this.input.value = "";
    this.asked++;
    this.show([]);
  }
}

for (const form of document.querySelectorAll("[data-speak]")) lines.set(form, new Line(form));
const spoken = (form) => lines.get(form).sent();

// One begins where one types, except on a phone, where that would open the keyboard.
if (!location.hash && matchMedia("(hover: hover)").matches) {
  (document.getElementById("line-t") || document.getElementById("line-m")).focus({ preventScroll: true });
}
