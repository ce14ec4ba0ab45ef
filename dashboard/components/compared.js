// Two runs side by side: steps that say the same are quiet, words that stand on one side only are marked.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (unchanged(root, data)) return;
  const side = (step, kind) =>
    step
      ? el(
          "div",
          { class: `side ${kind}` },
          el("span", { class: "n" }, String(step.n)),
          el("div", { class: "text body" }, step.pieces.map(([text, only]) => el("span", { class: only ? "only" : "" }, text))),
        )
      : el("div", { class: "side missing" });
  root.replaceChildren(
    el(
      "div",
      { class: "pair" },
      data.heads.map((head) => el("h3", { class: "text" }, head)),
      data.rows.map((row) => [side(row.left, row.kind), side(row.right, row.kind)]).flat(),
    ),
  );
}
