// Scores of one or more runs side by side: a mark with its interval on a line from 0 to 1. Runs differ by shape and row.
const MARKS = ["●", "▲", "■", "◆"];

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const several = data.runs.length > 1;
  const percent = (share) => `${(share * 100).toFixed(2)}%`;
  const line = (value, at) => {
    const track = el("div", { class: "track" });
    if (value.value !== null && value.value !== undefined) {
      if (value.low !== null && value.low !== undefined) {
        const bounds = el("span", { class: `bounds run${at}` });
        bounds.style.left = percent(value.low);
        bounds.style.width = percent(value.high - value.low);
        track.append(bounds);
      }
      const mark = el("span", { class: `mark run${at}`, "aria-hidden": "true" }, MARKS[at % MARKS.length]);
      mark.style.left = percent(value.value);
      track.append(mark);
    }
    return el("div", { class: "line" }, track, el("span", { class: "text value" }, value.text));
  };
  root.replaceChildren(
    el(
      "div",
      { class: "scores" },
      several
        ? el("div", { class: "legend" }, data.runs.map((name, at) => el("span", { class: "text" }, el("span", { class: `mark-key run${at}` }, MARKS[at % MARKS.length]), " ", name)))
        : null,
      data.rows.map((row) =>
        el("div", { class: "score" }, el("div", { class: "name" }, row.name), el("div", { class: "lines" }, row.values.map(line))),
      ),
      el("div", { class: "score axis-line" }, el("div", {}), el("div", { class: "ends" }, el("span", {}, "0"), el("span", {}, "0.5"), el("span", {}, "1"), el("span", {}))),
    ),
  );
}
