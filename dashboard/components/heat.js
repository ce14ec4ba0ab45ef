// Labels over time: one row a label, one cell a part of the time; the count stands in the cell, its shade is its share.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const most = Math.max(1, ...data.rows.flatMap((row) => row.counts));
  const cell = (count, at, row) => {
    const node = el("td", { title: `${row.name}, ${data.parts[at]}: ${count}` }, count ? String(count) : "");
    if (count) node.style.setProperty("--share", `${Math.round(12 + 68 * (count / most))}%`);
    if (count > most * 0.55) node.classList.add("strong");
    return node;
  };
  root.replaceChildren(
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "heat" },
        el(
          "tbody",
          {},
          data.rows.map((row) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, el("button", { class: "label text", type: "button", title: "Show these runs", onclick: () => setTriggerValue("chosen", row.id) }, row.name)),
              row.counts.map((count, at) => cell(count, at, row)),
              el("td", { class: "sum" }, row.total.toLocaleString("en")),
            ),
          ),
        ),
        el("tfoot", {}, el("tr", {}, el("th", {}), el("td", { class: "when", colspan: Math.ceil(data.parts.length / 2) }, data.from), el("td", { class: "when until", colspan: Math.floor(data.parts.length / 2) }, data.until), el("td", {}))),
      ),
    ),
  );
}
