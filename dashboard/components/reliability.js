// What was answered against what is true (confusion), and P(unsafe) against the share that is unsafe (reliability).
const SIZE = 260;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  root.replaceChildren(el("div", { class: "pair" }, confusion(data.confusion), data.bins.length ? reliability(data.bins) : null));
}

function confusion(counts) {
  const total = Math.max(1, counts.tp + counts.fp + counts.fn + counts.tn);
  const cell = (name, right, words) => {
    const node = el(
      "td",
      { class: right ? "right" : "wrong", title: words },
      el("strong", {}, counts[name].toLocaleString("en")),
      el("span", {}, `${right ? "●" : "▲"} ${words}`),
    );
    node.style.setProperty("--share", `${Math.round(8 + 60 * (counts[name] / total))}%`);
    return node;
  };
  return el(
    "figure",
    { "aria-label": "Confusion" },
    el("figcaption", {}, "Answered against annotated"),
    el(
      "table",
      { class: "confusion" },
      el("thead", {}, el("tr", {}, el("th", {}), el("th", { scope: "col" }, "guard: unsafe"), el("th", { scope: "col" }, "guard: safe"))),
      el(
        "tbody",
        {},
        el("tr", {}, el("th", { scope: "row" }, "unsafe"), cell("tp", true, "found"), cell("fn", false, "missed")),
        el("tr", {}, el("th", { scope: "row" }, "safe"), cell("fp", false, "false alarm"), cell("tn", true, "left alone")),
      ),
    ),
  );
}

function reliability(bins) {
  const make = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const svg = make("svg", { viewBox: `-34 -8 ${SIZE + 48} ${SIZE + 40}`, class: "reliability", role: "img", "aria-label": "Reliability diagram" });
  const x = (share) => share * SIZE;
  const y = (share) => SIZE - share * SIZE;
  svg.append(make("rect", { x: 0, y: 0, width: SIZE, height: SIZE, class: "frame" }));
  svg.append(make("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "ideal" }));
  const most = Math.max(...bins.map((bin) => bin.count));
  for (const bin of bins) {
    const bar = make("rect", { x: x(bin.low) + 1, y: y(bin.positive), width: x(bin.high - bin.low) - 2, height: Math.max(1, SIZE - y(bin.positive)), class: "bin" });
    const dot = make("circle", { cx: x(bin.mean), cy: y(bin.positive), r: 3 + 5 * Math.sqrt(bin.count / most), class: "dot" });
    for (const node of [bar, dot]) {
      const title = make("title", {});
      title.textContent = bin.text;
      node.append(title);
      svg.append(node);
    }
  }
  for (const share of [0, 0.5, 1]) {
    const across = make("text", { x: x(share), y: SIZE + 14, "text-anchor": "middle" });
    const up = make("text", { x: -6, y: y(share) + 4, "text-anchor": "end" });
    across.textContent = String(share);
    up.textContent = String(share);
    svg.append(across, up);
  }
  const name = make("text", { x: SIZE / 2, y: SIZE + 28, "text-anchor": "middle" });
  name.textContent = "P(unsafe) that the guard gave";
  svg.append(name);
  return el("figure", {}, el("figcaption", {}, "Share that is unsafe, by P(unsafe)"), svg, el("p", { class: "quiet" }, "On the dashed line a probability means what it says; a dot's size is how many rows it stands for."));
}
