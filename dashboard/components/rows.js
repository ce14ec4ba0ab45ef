// The list of runs: one link per run.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;

  const open = (event, place) => {
    // A plain click stays in this session; a middle or modified click is the browser's own.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    setTriggerValue("opened", place);
  };

  const line = (row, place) =>
    el(
      "li",
      {},
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

  root.replaceChildren(el("ul", { class: "rows" }, data.rows.map(line)));
}
