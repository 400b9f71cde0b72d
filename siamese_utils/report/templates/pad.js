  // A drawing pad, in the report's page (play.js) and in a notebook (widget.js), which include this text.

  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const LETTERS = "ABCDEFGHIJKLMNOPQRST";
  const INK = [25, 25, 30];
  // ink on a transparent canvas: how much of it, 0 to 255, pixel by pixel, in a colour [red, green, blue]
  const fill = (context, width, height, amount, [red, green, blue] = INK) => {
    const image = new ImageData(width, height), { data } = image;
    for (let i = 0, k = 0; k < data.length; i++, k += 4) [data[k], data[k + 1], data[k + 2], data[k + 3]] = [red, green, blue, amount(i)];
    context.putImageData(image, 0, 0);
  };

  const PEN = 6.5, STEP = 8;
  // box      an element that holds a square canvas, and a button for each act, named by its data-do
  // settled  called with the pad when nothing was drawn for a moment; pad.ink (side · side), 0 paper to 255 ink
  // give     what the act "give" puts on the pad: the ink of a character
  const makePad = (box, settled, give) => {
    const canvas = box.querySelector("canvas"), side = canvas.width, context = canvas.getContext("2d");
    const pad = { ink: new Uint8Array(side * side), side };
    let before = [], pen = null, at = [side / 2, side / 2], down = false, byKey = false, pause;

    const paint = () => {
      fill(context, side, side, (i) => pad.ink[i]);
      if (!byKey || document.activeElement !== canvas) return;
      context.beginPath();
      context.arc(...at, PEN + 3, 0, 2 * Math.PI);
      Object.assign(context, { lineWidth: 2, strokeStyle: down ? "#b3261e" : "#1f5a85" });
      context.stroke();
    };
    // a stroke's ink is as black as it covers a pixel
    const line = ([x0, y0], [x1, y1]) => {
      const [dx, dy] = [x1 - x0, y1 - y0], square = dx * dx + dy * dy || 1, reach = PEN + 1;
      for (let y = Math.max(0, Math.floor(Math.min(y0, y1) - reach)); y <= Math.min(side - 1, Math.max(y0, y1) + reach); y++) {
        for (let x = Math.max(0, Math.floor(Math.min(x0, x1) - reach)); x <= Math.min(side - 1, Math.max(x0, x1) + reach); x++) {
          const along = Math.min(1, Math.max(0, ((x + 0.5 - x0) * dx + (y + 0.5 - y0) * dy) / square));
          const away = Math.hypot(x + 0.5 - x0 - along * dx, y + 0.5 - y0 - along * dy);
          const cover = Math.round(255 * Math.min(1, Math.max(0, PEN + 0.5 - away)));
          if (cover > pad.ink[y * side + x]) pad.ink[y * side + x] = cover;
        }
      }
    };
    const settle = () => {
      clearTimeout(pause);
      pause = setTimeout(() => settled(pad), 120);
    };
    const begin = () => { before.push(pad.ink.slice()); };
    const place = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [(event.clientX - frame.left) / frame.width * side, (event.clientY - frame.top) / frame.height * side];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return; // a second finger draws nothing
      canvas.setPointerCapture(event.pointerId);
      clearTimeout(pause);
      begin();
      byKey = false;
      pen = at = place(event);
      line(pen, pen);
      paint();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!pen || !event.isPrimary) return;
      const moves = event.getCoalescedEvents?.() ?? [];
      (moves.length ? moves : [event]).map(place).forEach((next) => { line(pen, next); pen = at = next; });
      paint();
    });
    const lift = (event) => {
      if (!pen || !event.isPrimary) return;
      pen = null;
      settle();
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);

    const acts = {
      undo: () => { if (before.length) pad.ink = before.pop(); },
      clear: () => { begin(); pad.ink = new Uint8Array(side * side); },
      give: () => { begin(); pad.ink = give(side); },
    };
    const act = (name) => { acts[name](); paint(); settle(); };
    box.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => act(button.dataset.do)));

    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Backspace") { event.preventDefault(); act("undo"); return; }
      if (!moves[event.key] && event.key !== " ") return;
      event.preventDefault();
      byKey = true;
      if (event.key === " ") {
        down = !down;
        if (down) { begin(); line(at, at); }
        settle();
      } else {
        const next = at.map((place, i) => Math.min(side - PEN, Math.max(PEN, place + STEP * moves[event.key][i])));
        if (down) { line(at, next); settle(); }
        at = next;
      }
      paint();
    });
    canvas.addEventListener("focus", () => { byKey = canvas.matches(":focus-visible"); paint(); });
    canvas.addEventListener("blur", () => { down = false; paint(); });
    paint();
    return pad;
  };
