// Where → How → What: three columns of labels, joined by bands as thick as their count. A label can be chosen.
const WIDTH = 1000;
const NODE = 8;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const starts = [0, WIDTH * 0.36, WIDTH - NODE];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${data.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.style.height = `${data.height}px`;
  const drawnBands = data.bands.map((band) => {
    const x0 = starts[band.column] + NODE;
    const x1 = starts[band.column + 1];
    const middle = (x0 + x1) / 2;
    const path = document.createElementNS(SVG, "path");
    const low0 = band.y0 + band.h;
    const low1 = band.y1 + band.h;
    path.setAttribute("d", `M${x0} ${band.y0}C${middle} ${band.y0} ${middle} ${band.y1} ${x1} ${band.y1}V${low1}C${middle} ${low1} ${middle} ${low0} ${x0} ${low0}Z`);
    path.setAttribute("class", "band");
    const title = document.createElementNS(SVG, "title");
    title.textContent = band.text;
    path.append(title);
    svg.append(path);
    return [band, path];
  });
  const light = (column, id, on) =>
    drawnBands.forEach(([band, path]) => {
      const touches = (band.column === column && band.from === id) || (band.column === column - 1 && band.to === id);
      path.classList.toggle("lit", on && touches);
    });
  const nodes = data.columns.map((column, at) =>
    column.nodes.map((node) => {
      const bar = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x: starts[at], y: node.y, width: NODE, height: Math.max(node.h, 2), class: "node" })) bar.setAttribute(name, value);
      svg.append(bar);
      const words = el(
        "button",
        {
          class: `name at${at}`,
          type: "button",
          title: "Show these runs",
          disabled: node.id === "",
          onclick: () => setTriggerValue("chosen", { axis: column.axis, id: node.id }),
        },
        el("span", { class: "text" }, node.name),
        el("span", { class: "count" }, `${node.count.toLocaleString("en")} · ${node.share}`),
      );
      words.style.top = `${node.y}px`;
      words.addEventListener("mouseenter", () => light(at, node.id, true));
      words.addEventListener("mouseleave", () => light(at, node.id, false));
      words.addEventListener("focus", () => light(at, node.id, true));
      words.addEventListener("blur", () => light(at, node.id, false));
      return words;
    }),
  );
  const plot = el("div", { class: "plot" }, svg, nodes.flat());
  plot.style.height = `${data.height}px`;
  root.replaceChildren(
    el("div", { class: "flow", role: "group", "aria-label": "Where, how and what of incidents" },
      el("div", { class: "heads" }, data.columns.map((column, at) => el("span", { class: `at${at}` }, column.question))),
      plot,
    ),
  );
}
