// The list of runs: one link per run; where runs can be chosen, a box to choose each by, and what to do with them.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  // What the page says is chosen counts when it changed that itself (`epoch`); between, this list knows better.
  const drawing = { rows: data.rows, epoch: data.epoch ?? null };
  if (unchanged(root, drawing)) return;

  const choosing = data.epoch !== undefined && data.epoch !== null;
  const picked = new Set(data.chosen ?? []);
  const elsewhere = data.elsewhere ?? 0;
  const boxes = [];
  let last = null;

  const open = (event, place) => {
    // A plain click stays in this session; a middle or modified click is the browser's own.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    setTriggerValue("opened", place);
  };

  const show = () => {
    boxes.forEach((box, place) => {
      box.checked = picked.has(data.rows[place].id);
      box.closest("li").classList.toggle("picked", box.checked);
    });
    const count = data.rows.filter((row) => picked.has(row.id)).length;
    all.checked = count === data.rows.length;
    all.indeterminate = count > 0 && !all.checked;
    const runs = count + elsewhere;
    told.textContent = runs ? `${runs.toLocaleString("en")} run${runs === 1 ? "" : "s"} chosen` : "Choose runs to review or export them together.";
    for (const each of needing) each.disabled = !runs;
  };
  const chosenHere = () => {
    const page = data.rows.map((row) => row.id);
    return { page, chosen: page.filter((id) => picked.has(id)) };
  };
  const set = (places, on) => {
    for (const place of places) {
      if (on) picked.add(data.rows[place].id);
      else picked.delete(data.rows[place].id);
    }
    show();
    setTriggerValue("choice", chosenHere());
  };
  const pick = (event, place) => {
    // With the shift key, everything from the box clicked before.
    const from = event.shiftKey && last !== null ? last : place;
    const [low, high] = from < place ? [from, place] : [place, from];
    last = place;
    set(
      Array.from({ length: high - low + 1 }, (_, at) => low + at),
      event.target.checked,
    );
  };

  const box = (name, act) => el("input", { type: "checkbox", "aria-label": name, onclick: act });
  const all = box("Choose all runs of this page", (event) => set(data.rows.keys(), event.target.checked));
  const told = el("span", { class: "told", role: "status" });
  const doing = (what) =>
    el("button", { class: `doing ${what}`, type: "button", onclick: () => setTriggerValue("act", { what, at: Date.now(), ...chosenHere() }) }, data.acts[what]);
  const acts = choosing ? Object.keys(data.acts).map(doing) : [];
  const needing = acts.filter((each) => !each.classList.contains("all"));
  const chooser = (row, place) => {
    boxes[place] = box(`Choose ${row.title}`, (event) => pick(event, place));
    return el("label", { class: "choose" }, boxes[place]);
  };

  const line = (row, place) =>
    el(
      "li",
      {},
      choosing ? chooser(row, place) : null,
      el(
        "a",
        { class: `row ${row.verdict}`, href: row.href, onclick: (event) => open(event, place) },
        el("span", { class: "verdict" }, pill(row.verdict, row.verdict_text, row.p)),
        el(
          "span",
          { class: "main" },
          el("span", { class: "title text" }, row.title),
          row.axes.length
            ? el(
                "span",
                { class: "axes" },
                row.axes.map((axis) =>
                  el("span", { class: "axis" }, el("span", { class: "question" }, axis.question), axis.name),
                ),
              )
            : null,
          row.note ? el("span", { class: "note text" }, row.note) : null,
          el("span", { class: "who text" }, row.who),
        ),
        el(
          "span",
          { class: "side" },
          row.running ? el("span", { class: "running" }, "running") : null,
          el("span", {}, row.facts.join(" · ")),
          el("span", {}, row.when),
        ),
      ),
    );

  const head = choosing
    ? el("li", { class: "head" }, el("label", { class: "choose", title: "Choose all on this page" }, all), told, el("span", { class: "acts" }, acts))
    : null;
  root.replaceChildren(el("ul", { class: choosing ? "rows choosing" : "rows" }, head, data.rows.map(line)));
  if (choosing) show();
}
