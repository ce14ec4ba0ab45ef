// What stands beside the steps and is asked for: what to change, why, what detectors looked at, what people say.
// Drawn by story.js, whose helpers (el, pill, details) are at hand: the files are read as one.
const POLL_MS = 1500;

// What a page that answers questions shows of an incident.
function asked(incident, context) {
  const { data } = context.kept;
  return [
    changeSection(incident, data, context),
    el("div", { class: "evidence why-section" }, el("h3", {}, `Why step ${incident.onset + 1}?`), whySection(incident.onset, data, context)),
    reviewSection(incident, context),
  ];
}

// Code to take along: shown as text, copied by a button.
function copyable(label, text) {
  const button = el("button", { class: "link copy", type: "button" }, "Copy");
  button.addEventListener("click", () => copyText(text).then((done) => (button.textContent = done ? "Copied" : "Copy failed")));
  return el("div", { class: "snippet" }, el("div", { class: "label" }, label, button), el("pre", { class: "text" }, text));
}

function action(context, text, what, kind) {
  return el("button", { class: kind || "act", type: "button", onclick: () => context.kept.ask({ ...what, at: Date.now() }) }, text);
}

function changeSection(incident, data, context) {
  if (incident.state === "dismissed") return null;
  const found = data.beside ? data.beside.changes[incident.id] : null;
  const inside = !data.beside
    ? el("p", { class: "quiet" }, "Looking for the earliest check that would have stopped it…")
    : !found || !found.advice
      ? el("p", { class: "quiet" }, "Nothing is proposed for this incident.")
      : [
          el("p", { class: "text advice" }, found.advice, found.step === null || found.step === undefined ? "" : [" ", context.link(found.step)]),
          found.in_force ? el("p", { class: "text good-news" }, `The rule ${found.in_force} that is in force denies this call already.`) : null,
          found.trial ? el("p", { class: found.costs ? "text cost-note" : "text quiet" }, found.trial) : null,
          found.policy || found.hook
            ? el(
                "div",
                { class: "snippets" },
                found.policy ? copyable("The rule, under “rules:” of policy.yaml", found.policy) : null,
                found.hook ? copyable(`Ask before acting: ${found.hook.name}`, found.hook.snippet) : null,
              )
            : null,
          el(
            "div",
            { class: "acts" },
            action(context, "Save as regression case", { kind: "case" }),
            found.policy ? copyLine("Copy the command that applies the rule", found.apply) : null,
            copyLine("Copy the command that keeps the case", found.keep),
          ),
        ];
  return el("div", { class: "evidence change-section" }, el("h3", {}, "What to change"), inside);
}

function copyLine(words, text) {
  const button = el("button", { class: "link quiet-link", type: "button", title: text }, words);
  button.addEventListener("click", () => copyText(text).then((done) => (button.textContent = done ? `Copied: ${text}` : text)));
  return button;
}

function reviewSection(incident, context) {
  const say = (text, name) => action(context, text, { kind: "review", action: name, incident: incident.id });
  const acts =
    incident.state === "open"
      ? [say("Confirm", "confirm"), say("Correct…", "correct"), say("Dismiss…", "dismiss")]
      : [say("Correct…", "correct"), say("Reopen", "reopen")];
  return el("div", { class: "evidence review-line" }, el("h3", {}, incident.state === "open" ? "Is this right?" : `A person or a rule said: ${incident.state}`), el("div", { class: "acts" }, acts));
}

const QUESTIONS = { verdict: "What moved the verdict?", action: "What made the agent do it?" };

// The two questions about a step, each with its answer, as far as it is there.
function whySection(index, data, context) {
  const known = Object.fromEntries((data.beside ? data.beside.whys : []).filter((why) => why.step === index).map((why) => [why.target, why]));
  const unset = data.beside && data.beside.no_model;
  const ask = (target, again) => ({ kind: "why", step: index, target, again: Boolean(again) });
  return [
    el(
      "div",
      { class: "acts" },
      Object.entries(QUESTIONS).map(([target, words]) =>
        (known[target] && known[target].state !== "failed") || (target === "action" && unset) ? null : action(context, words, ask(target)),
      ),
    ),
    unset && !known.action ? el("p", { class: "note text" }, `${QUESTIONS.action} To ask that: ${data.beside.no_model}.`) : null,
    Object.values(known).map((why) => whyAnswer(why, context)),
  ];
}

function whyAnswer(why, context) {
  if (why.state === "pending")
    return el("p", { class: "why-pending", role: "status" }, el("span", { class: "spinner", "aria-hidden": "true" }), `${why.name} is being asked…`);
  if (why.state === "failed") return el("p", { class: "reason not_evaluated text" }, `${QUESTIONS[why.target]} ${why.error}`);
  return el(
    "section",
    { class: "why", "aria-label": `${QUESTIONS[why.target]} Step ${why.step + 1}` },
    el("h4", {}, QUESTIONS[why.target]),
    el("ol", {}, why.rows.map((row) => whyRow(row, context))),
    el("p", { class: "by text" }, why.about),
    why.notes.map((note) => el("p", { class: "by text" }, note)),
  );
}

function whyRow(row, { link }) {
  const bar = el("span", { class: row.against ? "against" : "" });
  bar.style.width = `${row.share < 0.005 ? 0 : Math.max(1, row.share * 100)}%`;
  return el(
    "li",
    {},
    el(
      "div",
      { class: "why-line" },
      row.step === null ? el("span", { class: "quiet" }, "profile") : link(row.step),
      el("span", { class: "text quiet" }, row.who),
      el("span", { class: "why-well" }, bar),
      el("span", { class: "number-text" }, row.score),
      row.looked ? el("span", { class: "quiet" }, row.looked) : null,
    ),
    row.sentences.some((piece) => piece.heat)
      ? el("p", { class: "text sentences" }, row.sentences.map((piece) => heated(piece.text, piece.heat, piece.score)))
      : null,
  );
}

function heated(text, heat, title) {
  const span = el("span", { class: heat ? "heat" : "", title }, text);
  if (heat) span.style.setProperty("--heat", `${Math.round(12 + heat * 48)}%`);
  return span;
}

function looksList(items) {
  if (!items) return null;
  const loud = items.filter((item) => item.weight);
  const quiet = items.filter((item) => !item.weight);
  const line = (item) =>
    el(
      "li",
      { class: item.weight ? "loud" : "" },
      el("span", { class: "text mono" }, item.detector),
      el("span", { class: "text" }, item.looked_at),
      el("span", { class: "number-text" }, item.weight ? item.weight.toFixed(2) : "quiet"),
      el("span", { class: "text by" }, item.explanation),
    );
  return el(
    "section",
    { class: "looks", "aria-label": "What each detector looked at" },
    el("h4", {}, loud.length ? `${loud.length} of ${items.length} detectors found something` : `All ${items.length} detectors stayed quiet`),
    el("ul", {}, [...loud, ...quiet].map(line)),
  );
}

// Below a step's verdict: what may be asked about it.
function stepActs(step, data, context) {
  const isAgent = step.role === "agent";
  const why = data.beside ? data.beside.whys.some((each) => each.step === step.index) : false;
  return el(
    "div",
    { class: "step-acts" },
    isAgent && step.index > 0 && !why && !step.marks.includes("onset") ? action(context, "Why this verdict?", { kind: "why", step: step.index, target: "verdict" }, "link quiet-link") : null,
    isAgent && !step.looks ? action(context, "What did detectors look at?", { kind: "looks", step: step.index }, "link quiet-link") : null,
    step.marks.includes("onset") ? null : action(context, "Mark as bad…", { kind: "review", action: "mark", step: step.index }, "link quiet-link"),
  );
}

// Asks for what is not here yet; while an answer is being computed, asks again.
function follow(kept) {
  const { data } = kept;
  clearTimeout(kept.timer);
  const ids = data.incidents.map((incident) => incident.id).join(" ");
  if (!data.asks) return;
  if (!data.beside && kept.begged !== ids) {
    kept.begged = ids;
    kept.timer = setTimeout(() => kept.ask({ kind: "beside", at: Date.now() }), 0);
  } else if (data.beside && data.beside.whys.some((why) => why.state === "pending"))
    kept.timer = setTimeout(() => kept.ask({ kind: "whys", at: Date.now() }), POLL_MS);
}

// Draws anew without moving what the reader looks at.
function holding(kept, act) {
  const before = kept.at === null ? null : kept.steps.get(kept.at);
  const top = before && before.isConnected ? before.getBoundingClientRect().top : null;
  act();
  const after = kept.at === null ? null : kept.steps.get(kept.at);
  if (top === null || !after) return;
  let around = after.parentElement;
  while (around && !(around.scrollHeight > around.clientHeight && /auto|scroll/.test(getComputedStyle(around).overflowY)))
    around = around.parentElement || (around.getRootNode().host ?? null);
  if (around) around.scrollTop += after.getBoundingClientRect().top - top;
}
