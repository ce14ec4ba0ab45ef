// Over every page: its name, or the way back to the list; and the box that finds a run by any id or by words.
const BOX = "Any id, or words of a request or of evidence";
const GLASS = "M6.8 2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6Zm0 1.4a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8Zm3.3 7.7 1-1 3.3 3.3-1 1-3.3-3.3Z";
const listening = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  listen(root);
  if (unchanged(root, data)) return;
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", GLASS);
  svg.append(path);
  const box = el("input", { type: "search", placeholder: BOX, "aria-label": "Find a run by any id or by words", title: "Press / to come here", autocomplete: "off", spellcheck: "false" });
  // What is typed here is no shortcut of the page.
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") box.blur();
  });
  const form = el("form", { role: "search" }, svg, box);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = box.value.trim();
    box.value = "";
    if (wanted) setTriggerValue("asked", wanted);
  });
  const back = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    setTriggerValue("back", Date.now());
  };
  const place = data.back
    ? el("a", { class: "back", href: data.back.href, onclick: back }, el("span", { "aria-hidden": "true" }, "← "), data.back.text)
    : el("h2", {}, data.title);
  root.replaceChildren(el("div", { class: "masthead" }, place, form));
}

// The key / leads to the box, unless somebody writes elsewhere.
function listen(root) {
  if (listening.has(root)) return;
  listening.set(root, true);
  const page = root.ownerDocument;
  const act = (event) => {
    if (!root.isConnected) return page.removeEventListener("keydown", act);
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const at = event.composedPath()[0];
    if (at && at.closest && at.closest("input, textarea, select, [contenteditable='true']")) return;
    event.preventDefault();
    root.querySelector("input").focus();
  };
  page.addEventListener("keydown", act);
}
