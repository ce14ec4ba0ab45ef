// Shared by every component: builds elements from trusted tag names and untrusted *text*.
// Invariant: strings become text nodes, never markup; no innerHTML, no URL taken from data except paths of our own pages.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  user: "M8 8.2a3.1 3.1 0 1 0 0-6.2 3.1 3.1 0 0 0 0 6.2Zm0 1.6c-3 0-5.4 1.7-5.4 3.9V14h10.8v-.3c0-2.2-2.4-3.9-5.4-3.9Z",
  agent:
    "M7.25 1h1.5v2H12a1.5 1.5 0 0 1 1.5 1.5v7A1.5 1.5 0 0 1 12 13H4a1.5 1.5 0 0 1-1.5-1.5v-7A1.5 1.5 0 0 1 4 3h3.25V1Z" +
    "M5.6 6.2a1.1 1.1 0 1 0 0 2.2 1.1 1.1 0 0 0 0-2.2Zm4.8 0a1.1 1.1 0 1 0 0 2.2 1.1 1.1 0 0 0 0-2.2ZM5.5 10v1.2h5V10h-5Z",
  environment:
    "M2.5 2.5h11A1.5 1.5 0 0 1 15 4v8a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 1 12V4a1.5 1.5 0 0 1 1.5-1.5Z" +
    "M3.6 5.1 6 7.5 3.6 9.9l.9.9L7.8 7.5 4.5 4.2l-.9.9ZM8 9.7v1.2h4.2V9.7H8Z",
};

// Shape as well as colour, so that a verdict is told apart without seeing colours.
const GLYPHS = { unsafe: "▲", safe: "●", not_evaluated: "◌", pending: "…", none: "–" };

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function icon(role) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[role]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

function pill(verdict, text, extra) {
  return el(
    "span",
    { class: `pill ${verdict}` },
    el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[verdict] || "–"),
    text,
    extra ? el("span", { class: "p", title: "P(unsafe)" }, extra) : null,
  );
}

// Streamlit calls a component again on every run of the page; drawing again only when the data changed keeps what the
// reader opened, selected and scrolled to.
const drawn = new WeakMap();
function unchanged(root, data) {
  const stamp = JSON.stringify(data);
  if (drawn.get(root) === stamp) return true;
  drawn.set(root, stamp);
  return false;
}

// Puts text on the clipboard; where the browser has no clipboard for this page, by a selection.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { readonly: true, style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
