// Rates and latency over the last minutes: one strip of bars each, the newest on the right.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const bar = (each) => {
    const node = el("span", { class: each.h ? "bar" : "bar none", title: each.text });
    node.style.setProperty("--h", `${Math.round(100 * each.h)}%`);
    if (each.low) node.style.setProperty("--low", `${Math.round((100 * each.low) / each.h)}%`);
    return node;
  };
  const strip = (each) =>
    el(
      "figure",
      { class: "strip", "aria-label": `${each.title}: ${each.now}, ${each.detail}` },
      el("figcaption", {}, el("span", { class: "title" }, each.title), el("span", { class: "now" }, each.now), el("span", { class: "quiet" }, each.detail)),
      el("div", { class: "bars", "aria-hidden": "true" }, each.bars.map(bar)),
    );
  root.replaceChildren(el("div", { class: "strips" }, data.strips.map(strip)));
}
