// The drawing pad in a notebook: what is drawn goes to Python (inference/drawing_pad.py), and its answer is shown.
{% include "pad.js" %}
// seconds without an answer until that is said
const PATIENCE = 8;

const render = ({ model, el }) => {
  const button = (text, properties) => make("button", { type: "button", textContent: text, ...properties });
  const id = `pad-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  const field = (number, name) => {
    const canvas = make("canvas", { width: {{ side }}, height: {{ side }}, tabIndex: 0 });
    const title = make("p", { id: `${id}-${number}`, textContent: name });
    const about = { role: "application", "aria-roledescription": "drawing pad", "aria-labelledby": title.id,
      "aria-describedby": `${id}-keys`, "data-lm-suppress-shortcuts": "true" }; // JupyterLab's own keys
    Object.entries(about).forEach(([attribute, value]) => canvas.setAttribute(attribute, value));
    const acts = [["undo", "Undo"], ["clear", "Clear"]].map(([act, words]) => {
      const made = button(words);
      made.dataset.do = act;
      made.setAttribute("aria-describedby", title.id);
      return made;
    });
    return make("div", { className: "pad" }, title, canvas, make("div", { className: "buttons" }, ...acts));
  };
  const boxes = [field(1, "Your drawing"), field(2, "Another drawing")];
  const said = make("p", { className: "said" });
  said.setAttribute("role", "status");
  const tiles = model.get("support").map(({ label, name, picture }) => make("li", { title: name },
    make("div", { className: "tile" }, make("img", { src: picture, alt: "" }), make("span", { textContent: label }), make("span", {}))));
  const list = make("ol", { className: "tiles" }, ...tiles);
  const modes = [["find", `Find it among ${tiles.length}`], ["compare", "Compare two drawings"]];
  const choices = modes.map(([mode, words]) => button(words, { onclick: () => choose(mode) }));

  let mode, asked = 0, waiting;
  const show = ({ said: words, values = [], best = -1 }) => {
    clearTimeout(waiting);
    said.textContent = words;
    tiles.forEach(({ firstChild: tile }, i) => {
      tile.classList.toggle("best", i === best);
      tile.lastChild.textContent = values.length ? values[i].toFixed(2) : "";
    });
  };
  const ask = () => {
    const used = mode === "find" ? pads.slice(0, 1) : pads;
    clearTimeout(waiting);
    waiting = setTimeout(() => show({ said: "No answer yet: the kernel is at work on a cell, or is not running. Run this cell again." }), 1000 * PATIENCE);
    model.send({ number: ++asked, mode }, undefined, used.map(({ ink }) => ink.slice().buffer));
  };
  const choose = (chosen) => {
    mode = chosen;
    choices.forEach((each, i) => each.setAttribute("aria-pressed", modes[i][0] === mode));
    boxes[1].hidden = mode === "find";
    list.hidden = mode === "compare";
    ask();
  };
  const answered = (answer) => { if (answer.number === asked) show(answer); };
  model.on("msg:custom", answered);
  const live = make("div", { className: "live" },
    make("div", { className: "buttons" }, ...choices),
    make("div", { className: "pads" }, ...boxes),
    make("p", { className: "caption", id: `${id}-keys`, 
      textContent: "By keyboard: the arrow keys move the pen, the space bar puts it down and lifts it, Backspace takes a stroke back." }),
    said, list,
    make("p", { className: "caption", textContent: model.get("about") }));
  const frame = make("div", { className: "siamese-pad" }, make("div", { className: "try" }, live));
  el.append(frame);
  const pads = boxes.map((box) => makePad(box, ask));
  choose("find");
  return () => { clearTimeout(waiting); model.off("msg:custom", answered); };
};
export default { render };
