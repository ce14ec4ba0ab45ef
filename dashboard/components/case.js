// One incident for a reviewer: what was found in words, the labels, the evidence, and the steps that matter.
const LONG = 900;
const SIGNS = {
  source: "◆ The risk comes in here",
  onset: "▲ It goes wrong here",
  realised: "■ Here it is done",
};
const unfolded = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const opened = unfolded.get(root) ?? new Set();
  unfolded.set(root, opened);
  const go = (index) => setTriggerValue("step", index);
  const link = (index) => el("button", { class: "link", type: "button", title: "Open the run at this step", onclick: () => go(index) }, `step ${index + 1}`);
  root.replaceChildren(
    el(
      "article",
      { class: `incident ${data.state}`, "aria-label": "Incident under review" },
      el(
        "div",
        { class: "over" },
        el("span", {}, data.place),
        el("span", { class: "where-when text" }, data.who),
        el("span", { class: "where-when" }, data.when),
        data.confidence ? el("span", { class: "where-when" }, `confidence ${data.confidence}`) : null,
        data.state === "open" ? null : el("span", { class: `tag ${data.state}` }, data.state),
      ),
      el("p", { class: "request text" }, data.title),
      el("p", { class: "lead text" }, data.summary),
      el("div", { class: "axes" }, data.axes.map(axisCard)),
      data.evidence.length
        ? el("div", { class: "evidence" }, el("h3", {}, "Evidence"), el("ul", {}, data.evidence.map((item) => evidence(item, link))))
        : null,
    ),
    el("ol", { class: "steps" }, data.steps.map((step) => card(step, data.quotes, link, opened))),
  );
}

function axisCard(axis) {
  return el(
    "div",
    { class: `axis ${axis.known ? "" : "unknown"}` },
    el("div", { class: "question" }, axis.question, el("span", {}, axis.axis)),
    el("h3", { class: "text" }, axis.name, axis.p ? el("span", { class: "share" }, axis.p) : null),
    el("p", {}, axis.definition),
    axis.outdone ? el("p", {}, axis.outdone) : null,
    axis.rivals.length ? el("p", { class: "or text" }, `or ${axis.rivals.map((rival) => `${rival.name} ${rival.p_text.replace(" ", "\u00a0")}`).join(", ")}`) : null,
  );
}

function evidence(item, link) {
  return el(
    "li",
    {},
    el("p", { class: "text" }, item.message),
    item.quote ? el("blockquote", { class: "text" }, item.quote) : null,
    el("p", { class: "by" }, "in ", link(item.step), item.source === null || item.source === undefined ? null : " · from ", item.source === null || item.source === undefined ? null : link(item.source), " · ", el("span", { class: "text" }, item.detector)),
  );
}

function card(step, quotes, link, opened) {
  const body = (text, key) => folded(text, quotes, `${step.index}.${key}`, opened);
  return el(
    "li",
    { class: `step ${step.role} ${step.verdict} ${step.mark}` },
    el("div", { class: "rail" }, el("span", { class: "number" }, String(step.n))),
    el(
      "article",
      { class: "card", "aria-label": `Step ${step.n}` },
      el("div", { class: `mark ${step.mark}` }, SIGNS[step.mark]),
      el(
        "div",
        { class: "card-head" },
        icon(step.role),
        el("strong", {}, step.role_text),
        step.who ? el("span", { class: "who text" }, step.who) : null,
        step.role === "environment" ? el("span", { class: "tag" }, "content from outside") : null,
        el("span", { class: "time" }, step.offset),
      ),
      step.texts.map((part) =>
        el("div", { class: `block ${part.kind}` }, part.label ? el("div", { class: "label" }, part.label) : null, body(part.text, part.field)),
      ),
      step.calls.map((call) =>
        el(
          "div",
          { class: "call" },
          el("div", { class: "call-head" }, el("span", { class: "label" }, "Calls"), el("code", { class: "text" }, call.name)),
          el(
            "dl",
            {},
            call.arguments.map((each) => el("div", { class: "argument" }, el("dt", { class: "text" }, each.name), el("dd", {}, body(each.value, each.field)))),
          ),
          call.raw ? el("pre", { class: "text" }, call.raw) : null,
        ),
      ),
      step.notes.map((note) => el("p", { class: "note text" }, note)),
    ),
    el("div", { class: "judgement" }, pill(step.verdict, step.verdict_text, step.p_text), link(step.index)),
  );
}

function folded(text, quotes, key, opened) {
  const body = el("div", { class: "text body" }, highlighted(text, quotes));
  if (text.length <= LONG) return body;
  const fold = el("div", { class: `fold ${opened.has(key) ? "opened" : ""}` }, body);
  const words = () => (fold.classList.contains("opened") ? "Show less" : `Show all ${text.length.toLocaleString("en")} characters`);
  const toggle = el("button", { class: "link", type: "button" }, words());
  toggle.addEventListener("click", () => {
    fold.classList.toggle("opened");
    if (fold.classList.contains("opened")) opened.add(key);
    else opened.delete(key);
    toggle.textContent = words();
  });
  fold.append(toggle);
  return fold;
}

// Marks the evidence's words: pieces of text nodes and <mark> elements, never markup from the text.
function highlighted(text, quotes) {
  for (const quote of quotes) {
    const at = quote ? text.indexOf(quote) : -1;
    if (at < 0) continue;
    return [...highlighted(text.slice(0, at), quotes), el("mark", {}, quote), ...highlighted(text.slice(at + quote.length), quotes)];
  }
  return text ? [text] : [];
}
