// A table of text cells, shares and verdicts; a row with a link can be chosen.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const full = (cell) => (cell !== null && typeof cell === "object" ? cell : { text: cell });
  // Beside named columns, one without a name holds marks, mostly none.
  const kind = (at) => (numbers[at] ? "number" : data.columns[at] === "" && data.columns.some((name) => name) ? "mark" : "");
  const numbers = data.columns.map((_, at) => data.rows.length > 0 && data.rows.every((row) => full(row[at]).number));

  const content = (cell, place) => {
    const text = cell.text === null || cell.text === undefined ? "" : String(cell.text);
    if (cell.kind === "link") return el("button", { class: "link text", type: "button", onclick: () => setTriggerValue("chosen", place) }, text);
    if (cell.kind === "mono") return el("span", { class: "text mono" }, text);
    if (GLYPHS[cell.kind] && cell.bar === undefined) return pill(cell.kind, text);
    if (cell.bar === undefined) return el("span", { class: "text" }, text);
    const bar = el("span", {});
    bar.style.width = `${Math.max(0, Math.min(1, cell.bar)) * 100}%`;
    return [el("span", { class: `well ${cell.kind || ""}` }, bar), el("span", { class: "text" }, text)];
  };

  root.replaceChildren(
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        {},
        data.columns.some((name) => name)
          ? el("thead", {}, el("tr", {}, data.columns.map((name, at) => el("th", { class: kind(at), scope: "col" }, name))))
          : null,
        el(
          "tbody",
          {},
          data.rows.map((row, place) =>
            el("tr", {}, row.map((cell, at) => el("td", { class: kind(at) }, content(full(cell), place)))),
          ),
        ),
      ),
    ),
  );
}
