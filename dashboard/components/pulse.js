// A clock for what refreshes by itself. Streamlit's own clock does not know that a reader is about to leave: a beat that
// meets a change of page brings the former page back and leaves the new one blank. This one waits after every input.
const CALM_MS = 3000;
const INPUTS = ["pointerdown", "keydown"];
const running = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const view = root.ownerDocument.defaultView;
  const kept = running.get(root) ?? { touched: -CALM_MS, stop: () => {} };
  kept.stop();
  const touch = () => (kept.touched = view.performance.now());
  const beat = () => {
    if (!root.ownerDocument.hidden && view.performance.now() - kept.touched >= CALM_MS) setTriggerValue("beat", Date.now());
  };
  for (const name of INPUTS) view.addEventListener(name, touch, true);
  const timer = view.setInterval(beat, data.every_ms);
  kept.stop = () => {
    view.clearInterval(timer);
    for (const name of INPUTS) view.removeEventListener(name, touch, true);
  };
  running.set(root, kept);
  return () => kept.stop();
}
