// One run: what was found, the curve of P(unsafe), and a window of its steps as a timeline.
// What is not here (other steps, whole texts, where values came from) is asked for with one trigger, "ask".
const FOLD_LINES = 14;
const FOLD_CHARACTERS = 1100;
// Above this number of steps the curve has signs for words and thin bars.
const WORDED_STEPS = 24;
const SIGNS = { source: "◆", onset: "▲", realised: "■" };
const SIGN_WORDS = { source: "comes in", onset: "goes wrong", realised: "is done" };
const SIGN_LINES = {
  source: "◆ The risk comes in here",
  onset: "▲ It goes wrong here",
  realised: "■ Here it is done",
};
const HEIGHT = 64;

// What a reader opened, asked for and stands at; kept over drawings of the same run.
const memory = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  let kept = memory.get(root);
  if (!kept || kept.id !== data.id) {
    if (kept) kept.stop();
    kept = { id: data.id, opened: new Set(), texts: new Map(), at: null, asked: null, steps: new Map(), timer: 0, begged: null, stop: () => {} };
    memory.set(root, kept);
  }
  for (const [key, text] of Object.entries(data.texts)) kept.texts.set(key, text);
  kept.data = data;
  kept.ask = (what) => setTriggerValue("ask", what);
  if (!unchanged(root, data)) holding(kept, () => draw(root, kept));
  follow(kept);
  kept.stop();
  const listen = (event) => onKey(event, root, kept);
  root.ownerDocument.addEventListener("keydown", listen);
  kept.stop = () => root.ownerDocument.removeEventListener("keydown", listen);
  return () => kept.stop();
}

function draw(root, kept) {
  const { data } = kept;
  const go = (index) => goTo(root, kept, index);
  const link = (index, text) =>
    el("button", { class: "link", type: "button", onclick: () => go(index) }, text || `step ${index + 1}`);
  const context = { kept, go, link, redraw: () => draw(root, kept) };
  kept.steps = new Map();
  const list = el(
    "ol",
    { class: "steps" },
    data.steps.map((step) => {
      const node = stepCard(step, context);
      kept.steps.set(step.index, node);
      return node;
    }),
  );
  const last = data.first + data.steps.length;
  root.replaceChildren(
    header(data, kept),
    finding(data, context),
    ...data.incidents.map((incident, at) => incidentCard(incident, at, data.incidents.length, context)),
    el("div", { class: "sticky" }, curve(data, kept, go)),
    el(
      "div",
      { class: "section-line" },
      el("h2", { class: "section" }, "What happened, step by step"),
      el("p", { class: "keys" }, key("j"), key("k"), " next, previous step ", key("n"), key("p"), " incident ", key("y"), " copy link"),
    ),
    more(data.first > 0, `Show earlier steps (1 to ${data.first})`, () => askWindow(kept, Math.max(0, data.first - data.steps.length), data.first - 1)),
    list,
    more(last < data.total, `Show later steps (${last + 1} to ${data.total})`, () => askWindow(kept, last, last)),
  );
  settle(root, kept);
}

const key = (name) => el("kbd", {}, name);

function more(wanted, text, act) {
  return wanted ? el("button", { class: "more", type: "button", onclick: act }, text) : "";
}

function askWindow(kept, first, focus) {
  kept.asked = focus;
  kept.ask({ kind: "window", first, focus });
}

// Scrolls where the address, or the last question, leads to.
function settle(root, kept) {
  const { data } = kept;
  const wanted = kept.asked !== null && kept.steps.has(kept.asked) ? kept.asked : kept.at === null ? data.focus : null;
  kept.asked = null;
  if (wanted !== null && wanted !== undefined && kept.steps.has(wanted))
    requestAnimationFrame(() => goTo(root, kept, wanted));
  else if (kept.at !== null) mark(kept, kept.at);
}

function mark(kept, index) {
  for (const node of kept.steps.values()) node.classList.remove("current");
  const node = kept.steps.get(index);
  if (node) node.classList.add("current");
  kept.at = index;
  if (kept.data.asks) stand(kept);
}

// The address says where the reader stands, so that a reload leads back there.
function stand(kept) {
  const here = new URL(window.location.href);
  if (here.searchParams.get("step") === String(kept.at + 1)) return;
  here.searchParams.set("step", String(kept.at + 1));
  window.history.replaceState(window.history.state, "", here);
}

function goTo(root, kept, index) {
  const node = kept.steps.get(index);
  if (!node) {
    const count = Math.max(kept.data.steps.length, 1);
    askWindow(kept, Math.max(0, Math.min(index - Math.floor(count / 3), kept.data.total - count)), index);
    return;
  }
  mark(kept, index);
  node.scrollIntoView({ behavior: "auto", block: node.offsetHeight > 500 ? "start" : "center" });
  node.classList.remove("flash");
  requestAnimationFrame(() => node.classList.add("flash"));
}

function onKey(event, root, kept) {
  if (!root.isConnected) return kept.stop();
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const at = event.composedPath()[0];
  if (at && at.closest && at.closest("input, textarea, select, [contenteditable='true']")) return;
  const { data } = kept;
  const here = kept.at;
  const onsets = data.incidents.map((incident) => incident.onset).sort((a, b) => a - b);
  const moves = {
    j: () => (here === null ? data.first : Math.min(here + 1, data.total - 1)),
    k: () => (here === null ? data.first : Math.max(here - 1, 0)),
    n: () => onsets.find((onset) => here === null || onset > here) ?? onsets[0],
    p: () => onsets.filter((onset) => here !== null && onset < here).pop() ?? onsets[onsets.length - 1],
  };
  if (event.key === "y") copyLink(kept, null);
  const move = moves[event.key];
  if (!move) return;
  const target = move();
  if (target === undefined) return;
  event.preventDefault();
  goTo(root, kept, target);
}

function address(kept) {
  const here = new URL(window.location.href);
  const out = new URL(here.pathname, here.origin);
  out.searchParams.set("id", kept.id);
  if (kept.at !== null) out.searchParams.set("step", String(kept.at + 1));
  return out.href;
}

function copyLink(kept, button) {
  copyText(address(kept)).then((done) => {
    if (button) button.textContent = done ? "Link copied" : "Copy failed: use the address bar";
  });
}

function header(data, kept) {
  const head = data.head;
  const share = el("button", { class: "link", type: "button" }, "Copy link");
  share.addEventListener("click", () => copyLink(kept, share));
  return el(
    "header",
    { class: "head" },
    el("div", { class: "verdict-line" }, pill(head.verdict, head.verdict_text, head.p), share, data.links.map(outside)),
    el("h1", { class: "text" }, head.title),
    el(
      "dl",
      { class: "facts" },
      head.facts.map((fact) => el("div", {}, el("dt", {}, fact.name), el("dd", { class: "text" }, fact.value))),
    ),
    head.guard ? el("p", { class: "guard text" }, `Judged by ${head.guard}.`, head.note ? ` ${head.note}` : "") : null,
    details(
      "What the agent was told and could do",
      [
        ...head.profiles.map((each) =>
          el("div", {}, el("div", { class: "label text" }, `System prompt of ${each.name}`), el("div", { class: "text body" }, each.text)),
        ),
        head.tools.length ? el("p", { class: "text" }, `Tools: ${head.tools.join(", ")}`) : null,
      ],
      head.profiles.length || head.tools.length,
    ),
    details("What was said before", [versions(data.versions)], data.versions.length),
  );
}

// A link to another tool: made from the operator's template, opened beside this page, told nothing of it.
function outside(link) {
  return el("a", { class: "link outside", href: link.href, target: "_blank", rel: "noopener noreferrer" }, `${link.name} ↗`);
}

function details(summary, content, wanted) {
  return wanted ? el("details", {}, el("summary", {}, summary), el("div", { class: "inside" }, content)) : null;
}

function versions(list) {
  return el(
    "ul",
    { class: "versions" },
    list.map((each) =>
      el("li", {}, el("span", { class: "quiet" }, each.when), pill(each.verdict, each.verdict_text, each.p), el("span", { class: "text quiet" }, each.text)),
    ),
  );
}

function finding(data, context) {
  const verdict = data.head.verdict;
  if (verdict === "unsafe" && data.incidents.length && !data.finding.hint) return "";
  return el(
    "section",
    { class: `finding ${verdict}` },
    el("p", { class: "lead" }, data.finding.text),
    data.finding.hint ? el("p", { class: "text" }, data.finding.hint) : null,
    verdict === "safe" && data.asks
      ? el(
          "p",
          { class: "text" },
          "Something is wrong all the same? Mark the step where it begins. Each step tells what the detectors looked at. ",
          action(context, "Approve this run", { kind: "review", action: "approve" }, "link"),
        )
      : null,
  );
}

function incidentCard(incident, at, count, context) {
  const { link } = context;
  const place = (words, index) =>
    index === null || index === undefined ? null : el("span", { class: "where-when" }, words, link(index));
  return el(
    "section",
    { class: `incident ${incident.state}`, "aria-label": `Incident ${at + 1}` },
    el(
      "div",
      { class: "over" },
      count > 1 ? `Incident ${at + 1} of ${count}` : "Incident",
      place("came in at ", incident.source),
      place("goes wrong at ", incident.onset),
      incident.realised === incident.onset ? null : place("done at ", incident.realised),
      incident.confidence ? el("span", { class: "where-when" }, `P(unsafe) ${incident.confidence}`) : null,
      incident.recovered ? el("span", { class: "tag" }, "the agent recovered") : null,
      incident.state === "open" ? null : el("span", { class: `tag ${incident.state}` }, incident.state),
    ),
    el("p", { class: "lead text" }, incident.summary),
    el("div", { class: "axes" }, incident.axes.map(axisCard)),
    incident.flows.length
      ? el(
          "div",
          { class: "evidence" },
          el("h3", {}, "Where the values came from"),
          el("ul", { class: "paths" }, incident.flows.map((flow) => pathLine(flow, link))),
        )
      : null,
    incident.evidence.length
      ? el(
          "div",
          { class: "evidence" },
          el("h3", {}, "Evidence"),
          el("ul", {}, incident.evidence.map((item) => evidenceLine(item, link))),
        )
      : null,
    context.kept.data.asks ? asked(incident, context) : null,
    incident.words ? el("div", { class: "evidence" }, details("The guard's own words", [el("div", { class: "text body" }, incident.words)], true)) : null,
  );
}

function axisCard(axis) {
  return el(
    "div",
    { class: `axis ${axis.known ? "" : "unknown"}` },
    el("div", { class: "question" }, axis.question, el("span", {}, axis.axis)),
    el("h3", { class: "text" }, axis.name, axis.p ? el("span", { class: "share" }, axis.p) : null),
    axis.group ? el("div", { class: "group" }, axis.group) : null,
    el("p", {}, axis.definition),
    axis.outdone ? el("p", {}, axis.outdone) : null,
    axis.rivals.length
      ? el(
          "ul",
          { class: "rivals", "aria-label": "Runner-ups" },
          axis.rivals.map((rival) => {
            const bar = el("span", { class: "share-bar" });
            bar.style.width = `${Math.max(1, rival.p * 100)}%`;
            return el("li", {}, el("span", { class: "text" }, rival.name), el("span", { class: "share" }, rival.p_text), el("span", { class: "share-well" }, bar));
          }),
        )
      : null,
  );
}

function pathLine(flow, link) {
  return el(
    "li",
    {},
    link(flow.from, `step ${flow.from + 1}`),
    el("span", { class: "text quiet" }, flow.from_name),
    el("span", { class: "arrow", "aria-hidden": "true" }, "──"),
    el("code", { class: "value text" }, flow.value),
    el("span", { class: "arrow", "aria-hidden": "true" }, "─▶"),
    link(flow.to, `step ${flow.to + 1}`),
    el("span", { class: "text quiet" }, flow.to_name),
  );
}

function evidenceLine(item, link) {
  const from = item.source === null || item.source === undefined ? [] : [" · from ", link(item.source)];
  return el(
    "li",
    {},
    el("p", { class: "text" }, item.message),
    item.quote ? el("blockquote", { class: "text" }, item.quote) : null,
    el("p", { class: "by" }, "in ", link(item.step), ...from, " · ", el("span", { class: "text" }, item.detector)),
  );
}

function curve(data, kept, go) {
  const worded = data.total <= WORDED_STEPS;
  const marked = data.outline.some((step) => step.m.length);
  return el(
    "figure",
    { class: "curve", "aria-label": "P(unsafe) after each step" },
    el(
      "figcaption",
      {},
      "P(unsafe) after each step",
      marked && !worded
        ? el("span", { class: "legend" }, "◆ the risk comes in  ▲ it goes wrong  ■ it is done")
        : null,
    ),
    worded ? bars(data, go) : thinBars(data, go),
  );
}

function bars(data, go) {
  return el(
    "div",
    { class: "bars" },
    data.outline.map((step, index) => {
      const known = step.p !== null && step.p !== undefined;
      const bar = el("span", { class: `bar ${step.v} ${known ? "" : "blank"}` });
      if (known) bar.style.height = `${Math.max(3, step.p * 100)}%`;
      const flag = step.m.map((sign) => SIGN_WORDS[sign]).join(", ");
      return el(
        "button",
        { class: `column ${step.m.join(" ")}`, type: "button", title: told(step, index), "aria-label": `${told(step, index)} ${flag}`.trim(), onclick: () => go(index) },
        el("span", { class: "flag" }, flag),
        el("span", { class: "well" }, bar),
        el("span", { class: "n" }, String(index + 1)),
      );
    }),
  );
}

const VERDICTS = { safe: "Safe", unsafe: "Unsafe", not_evaluated: "Not evaluated", none: "Not judged" };
function told(step, index) {
  const p = step.p === null || step.p === undefined ? "" : step.p > 0.99 && step.p < 1 ? ">99 %" : step.p > 0 && step.p < 0.01 ? "<1 %" : `${Math.round(step.p * 100)} %`;
  return `Step ${index + 1}: ${VERDICTS[step.v]} ${p}`.trim();
}

// Long runs: one picture with one path per verdict, so that a thousand steps cost a few elements.
function thinBars(data, go) {
  const total = data.total;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${total} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "thin");
  svg.setAttribute("aria-hidden", "true");
  const paths = {};
  data.outline.forEach((step, x) => {
    const known = step.p !== null && step.p !== undefined;
    const name = known ? step.v : `blank ${step.v}`;
    const height = known ? Math.max(2, step.p * HEIGHT) : step.v === "none" ? 0 : HEIGHT;
    if (height) paths[name] = `${paths[name] || ""}M${x} ${HEIGHT}v${-height}h1v${height}z`;
  });
  for (const [name, d] of Object.entries(paths)) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    svg.append(path);
  }
  const shown = el("span", { class: "shown" });
  shown.style.left = `${(data.first / total) * 100}%`;
  shown.style.width = `${(data.steps.length / total) * 100}%`;
  const tip = el("span", { class: "tip" });
  const stepAt = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.max(0, Math.min(total - 1, Math.floor(((event.clientX - box.left) / box.width) * total)));
  };
  const well = el("div", { class: "thin-well" }, svg, shown);
  well.addEventListener("mousemove", (event) => {
    const index = stepAt(event);
    tip.textContent = `${told(data.outline[index], index)} ${data.outline[index].t}`;
  });
  well.addEventListener("mouseleave", () => (tip.textContent = ""));
  well.addEventListener("click", (event) => go(stepAt(event)));
  const flags = el("div", { class: "flags" });
  data.outline.forEach((step, index) => {
    if (!step.m.length) return;
    const flag = el(
      "button",
      { class: `flag ${step.m[step.m.length - 1]}`, type: "button", "aria-label": `${told(step, index)} ${step.m.map((sign) => SIGN_WORDS[sign]).join(", ")}`, onclick: () => go(index) },
      step.m.map((sign) => SIGNS[sign]).join(""),
    );
    flag.style.left = `${((index + 0.5) / total) * 100}%`;
    flags.append(flag);
  });
  return el("div", { class: "long" }, flags, well, el("div", { class: "ends" }, el("span", {}, "1"), tip, el("span", {}, total.toLocaleString("en"))));
}

function stepCard(step, context) {
  const { kept, link } = context;
  const known = step.p !== null && step.p !== undefined;
  const meter = el("span", { class: `meter ${step.verdict}` });
  if (known) meter.style.width = `${Math.max(2, step.p * 100)}%`;
  return el(
    "li",
    { class: `step ${step.role} ${step.verdict} ${step.marks.join(" ")}` },
    el("div", { class: "rail" }, el("span", { class: "number" }, String(step.n))),
    el(
      "article",
      { class: "card", "aria-label": `Step ${step.n}` },
      step.marks.map((sign) => el("div", { class: `mark ${sign}` }, SIGN_LINES[sign])),
      el(
        "div",
        { class: "card-head" },
        icon(step.role),
        el("strong", {}, step.role_text),
        step.who ? el("span", { class: "who text" }, step.who) : null,
        step.thread ? el("span", { class: "quiet text" }, `in ${step.thread}`) : null,
        step.role === "environment" ? el("span", { class: "tag" }, "content from outside") : null,
        step.failed ? el("span", { class: "tag failed" }, "failed") : null,
        el("span", { class: "time" }, [step.offset, step.took].filter(Boolean).join(" · ")),
      ),
      step.texts.map((part) => textBlock(part, step, context)),
      step.calls.map((call, at) => callBlock(call, step, at, context)),
      step.flows ? flowList(step.flows, link) : step.calls.some((call) => call.arguments.length) && kept.data.asks ? el("button", { class: "link quiet-link", type: "button", onclick: () => kept.ask({ kind: "flows", step: step.index }) }, "Where did these values come from?") : null,
      step.attachments.map((attachment) => el("p", { class: "note text" }, `Attachment: ${attachment}`)),
      step.moved.map((words) => el("p", { class: "moved text" }, words)),
      step.marks.includes("onset") || !kept.data.beside || !kept.data.beside.whys.some((why) => why.step === step.index) ? null : whySection(step.index, kept.data, context),
      looksList(step.looks),
      step.notes.map((note) => el("p", { class: "note text" }, note)),
      step.reason ? el("p", { class: `reason ${step.verdict} text` }, step.reason) : null,
    ),
    el(
      "div",
      { class: "judgement" },
      pill(step.verdict, step.verdict_text, step.p_text),
      el("span", { class: `scale ${known ? "" : step.verdict}` }, known ? meter : null),
      step.change
        ? el(
            "details",
            { class: "change" },
            el("summary", {}, `since step ${step.change.since}`),
            el("ul", {}, step.change.lines.map((line) => el("li", { class: `text ${line.kind}` }, line.text))),
          )
        : null,
      step.cost ? el("span", { class: "cost", title: "What the verdict cost" }, step.cost) : null,
      kept.data.asks ? stepActs(step, kept.data, context) : null,
    ),
  );
}

function flowList(flows, link) {
  if (!flows.length) return el("p", { class: "note" }, "No value of this call was seen before, or none is worth tracing.");
  return el(
    "ul",
    { class: "flows", "aria-label": "Where the values came from" },
    flows.map((flow) =>
      el(
        "li",
        { class: flow.origin },
        el("span", { class: "text quiet" }, flow.argument),
        el("code", { class: "value text" }, flow.value),
        el("span", { class: "origin" }, flow.words),
        flow.step === null || flow.step === undefined ? null : link(flow.step),
        flow.name ? el("span", { class: "text quiet" }, flow.name) : null,
      ),
    ),
  );
}

function textBlock(part, step, context) {
  const outside = step.role === "environment" && part.kind === "result";
  return el(
    "div",
    { class: `block ${part.kind} ${outside ? "outside" : ""}` },
    part.label ? el("div", { class: "label" }, part.label) : null,
    folded(part, step, context),
  );
}

function callBlock(call, step, at, context) {
  const lines = call.arguments.map((argument) =>
    el(
      "div",
      { class: "argument" },
      el("dt", { class: "text" }, argument.name),
      el("dd", {}, folded({ text: argument.value, field: argument.field, size: argument.size }, step, context)),
    ),
  );
  return el(
    "div",
    { class: "call" },
    el("div", { class: "call-head" }, el("span", { class: "label" }, "Calls"), el("code", { class: "text" }, call.name)),
    lines.length ? el("dl", {}, lines) : null,
    call.raw
      ? el("div", {}, el("div", { class: "label" }, "Arguments as they came (no valid JSON)"), el("pre", { class: "text" }, call.raw))
      : null,
    !lines.length && !call.raw && call.empty ? el("p", { class: "quiet" }, call.empty) : null,
  );
}

// Marks the evidence's words in a text, and shades the sentences that moved an answer: pieces of text nodes, never markup
// from the text.
function marked(text, quotes, sentences) {
  for (const [place, piece] of (sentences || []).entries()) {
    const at = piece.text ? text.indexOf(piece.text) : -1;
    if (at < 0) continue;
    const shade = heated("", piece.heat, "moved the answer");
    shade.append(...marked(piece.text, quotes));
    const rest = sentences.slice(place + 1);
    return [...marked(text.slice(0, at), quotes, rest), shade, ...marked(text.slice(at + piece.text.length), quotes, rest)];
  }
  for (const quote of quotes) {
    const at = quote ? text.indexOf(quote) : -1;
    if (at < 0) continue;
    return [
      ...marked(text.slice(0, at), quotes),
      el("mark", {}, quote),
      ...marked(text.slice(at + quote.length), quotes),
    ];
  }
  return text ? [text] : [];
}

function folded(part, step, context) {
  const { kept } = context;
  const id = `${step.index}.${part.field}`;
  const text = kept.texts.get(id) ?? part.text;
  const whole = !part.size || kept.texts.has(id);
  const body = el("div", { class: "text body" }, marked(text, step.quotes, step.heats));
  const long = text.length > FOLD_CHARACTERS || text.split("\n", FOLD_LINES + 1).length > FOLD_LINES;
  if (!long && whole) return body;
  const fold = el("div", { class: `fold ${kept.opened.has(id) ? "opened" : ""}` }, body);
  const opened = () => fold.classList.contains("opened");
  const size = (whole ? text.length : part.size).toLocaleString("en");
  const label = () => (opened() ? "Show less" : `Show all ${size} characters`);
  const toggle = el("button", { class: "link", type: "button" }, label());
  toggle.addEventListener("click", () => {
    fold.classList.toggle("opened");
    if (opened()) kept.opened.add(id);
    else kept.opened.delete(id);
    if (opened() && !whole) {
      toggle.textContent = "Fetching…";
      kept.ask({ kind: "text", step: step.index, field: part.field });
    } else toggle.textContent = label();
  });
  fold.append(toggle);
  return fold;
}
