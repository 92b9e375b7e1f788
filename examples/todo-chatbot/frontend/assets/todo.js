// Every form works without this script; with it the page stays where it is.
// The server answers with the same page as ever, and the parts that changed are put in place.
"use strict";

const part = (root, id) => root.getElementById(id);
const log = part(document, "log");

const toEnd = () => { log.scrollTop = log.scrollHeight; };

function swap(page, id) {
  const old = part(document, id);
  const fresh = part(page, id);
  if (old && fresh) old.replaceChildren(...fresh.childNodes);
}

// A log that only grows is read out line by line, so lines are added and never redrawn.
function swapLog(page) {
  const fresh = [...part(page, "log").children];
  log.querySelectorAll("[data-pending]").forEach((line) => line.remove());
  const last = log.lastElementChild;
  let known = last ? fresh.findLastIndex((line) => line.isEqualNode(last)) : -1;
  if (last && known < 0) log.replaceChildren();
  log.append(...fresh.slice(known + 1));
  toEnd();
}

function show(page) {
  for (const id of ["banner", "account", "count", "todos", "empty", "ideas"]) swap(page, id);
  part(document, "status").replaceWith(part(page, "status"));
  part(document, "forget").hidden = part(page, "forget").hidden;
  swapLog(page);
}

function pending(text) {
  const line = (role, who, words) => {
    const article = document.createElement("article");
    article.className = "line";
    article.dataset.role = role;
    article.dataset.pending = "";
    const whose = document.createElement("p");
    whose.className = "who";
    whose.textContent = who;
    const said = document.createElement("p");
    said.className = "words";
    said.dir = "auto";
    said.textContent = words;
    article.append(whose, said);
    return article;
  };
  log.append(line("user", "You", text), line("assistant", "Assistant", "Thinking…"));
  part(document, "ideas").replaceChildren();
  toEnd();
}

function complain(text) {
  const banner = document.createElement("div");
  banner.className = "banner";
  banner.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = text;
  banner.append(words);
  part(document, "banner").replaceChildren(banner);
}

// A turn as it goes on: words are put into the waiting line, the list moves with each change.
// Says whether there was a stream; without one the plain form does it.
async function follow(data) {
  const answer = await fetch("chat/stream", { method: "POST", body: new URLSearchParams(data) });
  if (!answer.ok || !answer.body) return false;
  const words = log.querySelector("[data-pending][data-role=assistant] .words");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let said = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const field = (name) => event.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1];
      const data = JSON.parse(field("data") ?? "{}");
      const kind = field("event");
      if (kind === "text") said += data.text;
      if (kind === "again") said = "";
      if (kind === "todos") {
        part(document, "todos").innerHTML = data.todos;
        part(document, "count").textContent = data.count;
        part(document, "empty").replaceChildren();
      }
      if (kind === "text" || kind === "again") {
        words.parentElement.toggleAttribute("data-speaking", said !== "");
        words.textContent = said || "Thinking…";
        toEnd();
      }
    }
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  // Whoever signs in gets another page altogether.
  if (form.closest("#account")) return;
  if (form.method !== "post" || form.dataset.busy !== undefined) return event.preventDefault();
  event.preventDefault();
  const data = new FormData(form);
  const field = form.dataset.keep && form.elements[form.dataset.keep];
  const focus = document.activeElement?.dataset?.focus;
  form.dataset.busy = "";
  const speaks = form.getAttribute("action") === "chat" && data.get("intent") === "say";
  if (speaks) pending(data.get("message"));
  if (field) field.value = "";
  try {
    const streamed = speaks && (await follow(data));
    const answer = streamed
      ? await fetch("./")
      : await fetch(form.action, {
          method: "POST",
          body: new URLSearchParams(data),
          headers: { "x-requested-with": "fetch" },
        });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const refused = part(page, "banner").childElementCount > 0;
    show(page);
    if (refused && field && !field.value) field.value = data.get(form.dataset.keep);
  } catch {
    log.querySelectorAll("[data-pending]").forEach((line) => line.remove());
    if (field && !field.value) field.value = data.get(form.dataset.keep);
    complain("That did not get through. Check the connection and try again.");
  } finally {
    delete form.dataset.busy;
  }
  if (focus) document.querySelector(`[data-focus="${focus}"]`)?.focus();
  else if (!document.activeElement || document.activeElement === document.body) {
    part(document, field ? field.id : "title").focus();
  }
});

toEnd();
