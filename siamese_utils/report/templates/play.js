// What a reader does with the network of network.js: draw two characters, find one among twenty, see it on the map, play.
(() => {
  const { given } = siamese;
{% include "pad.js" %}
  document.querySelectorAll(".try .live").forEach((part) => { part.hidden = false; });

  // ---- characters ----

  const show = (canvas, { values, width, height }, colour) => {
    Object.assign(canvas, { width, height });
    fill(canvas.getContext("2d"), width, height, (i) => 255 - values[i], colour);
    return canvas;
  };
  // the page's characters are embedded when they are first needed, one at a time, so that the page stays awake
  const known = new Map();
  let spent = 0; // milliseconds
  const embedded = async (numbers) => {
    const all = [];
    for (const number of numbers) {
      if (!known.has(number)) {
        await new Promise((done) => { setTimeout(done); });
        const begun = performance.now();
        if (!known.has(number)) known.set(number, { vector: siamese.embed(siamese.pixels(number)) });
        known.get(number).took ??= performance.now() - begun;
      }
      all.push(known.get(number));
    }
    return all;
  };

  // ---- two drawings, and one among twenty ----

  const percent = (part) => (part > 0.999 ? "over 99.9 %" : part < 0.001 ? "under 0.1 %" : `${(100 * part).toFixed(1)} %`);
  const likeness = document.getElementById("likeness"), scale = document.querySelector(".try .scale");
  const [same, different, mark] = [".same", ".different", ".mark"].map((name) => scale.querySelector(name));
  [[same, siamese.plan.same], [different, siamese.plan.different]].forEach(([range, quantiles]) => {
    const [low, high] = [0.05, 0.95].map((part) => 100 * quantiles[Math.round(part * (quantiles.length - 1))]);
    Object.assign(range.style, { marginLeft: `${low}%`, width: `${high - low}%` });
  });
  const compare = () => {
    const [left, right] = pads;
    scale.hidden = !(left.vector && right.vector);
    if (scale.hidden) {
      likeness.textContent = left.vector || right.vector ? "Now draw in the other field." : "Draw in both fields.";
      return;
    }
    const value = siamese.similarity(left.vector, right.vector), means = siamese.meaning(value);
    mark.style.left = `${100 * Math.min(1, Math.max(0, value))}%`;
    likeness.replaceChildren(
      make("strong", { textContent: `Similarity ${value.toFixed(2)}: ${means.same ? "the same character" : "two characters"} to the network.` }),
      ` Of pairs of different characters, ${percent(means.aboveDifferent)} are less alike than these two; of pairs of the same`
      + ` character, ${percent(means.belowSame)} are more alike. The pairs are from alphabets of Omniglot that the network did not learn from.`,
    );
  };

  const twenty = document.getElementById("twenty"), list = twenty.querySelector(".tiles"), found = twenty.querySelector(".said");
  let shown = 0, asked = 0;
  const tile = (number, letter, tag = "div") => {
    const canvas = show(make("canvas", {}), siamese.picture(number));
    canvas.setAttribute("aria-hidden", "true");
    const box = make(tag, { className: "tile" }, canvas, make("span", { textContent: letter }));
    return make("li", {}, box);
  };
  const showTwenty = () => {
    list.replaceChildren(...given.episodes[shown].support.map((number, i) => tile(number, LETTERS[i])));
    seek();
  };
  const seek = async () => {
    const own = ++asked, { vector } = pads[0], numbers = given.episodes[shown].support;
    list.querySelectorAll(".tile").forEach((each) => { each.classList.remove("best"); each.lastChild.textContent = each.lastChild.textContent[0]; });
    found.textContent = vector ? "The network looks at the twenty …" : "Your first field is empty.";
    if (!vector) return;
    const others = await embedded(numbers);
    if (own !== asked) return; // drawn on meanwhile
    const values = others.map((each) => siamese.similarity(vector, each.vector));
    const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
    [...list.children].forEach((item, i) => { item.firstChild.lastChild.textContent = `${LETTERS[i]} ${values[i].toFixed(2)}`; });
    list.children[order[0]].firstChild.classList.add("best");
    const [first, ...rest] = order.slice(0, 3).map((i) => `${LETTERS[i]} (${values[i].toFixed(2)})`);
    found.textContent = `Most like your drawing: ${first}, then ${rest.join(" and ")}.`;
  };
  twenty.querySelector("button").addEventListener("click", () => { shown = (shown + 1) % given.episodes.length; showTwenty(); });

  // ---- the map ----

  const map = document.getElementById("map"), sheet = map.querySelector("canvas");
  const COLOURS = ["--blue", "--red", "--green", "--magenta", "--yellow", "--cyan"];
  const { middle, axes, places } = given.map;
  const project = (vector) => {
    const direction = siamese.unit(vector);
    return axes.map((axis) => axis.reduce((sum, each, i) => sum + each * (direction[i] - middle[i]), 0));
  };
  const [across, down] = [0, 1].map((axis) => {
    const values = places.map((place) => place[axis]), low = Math.min(...values), high = Math.max(...values);
    return (place) => 0.07 + 0.86 * Math.min(1.05, Math.max(-0.05, (place[axis] - low) / (high - low)));
  });
  const drawMap = () => {
    const style = getComputedStyle(document.documentElement), own = pads[0].vector;
    const numbers = (name) => [1, 3, 5].map((at) => parseInt(style.getPropertyValue(name).trim().slice(at, at + 2), 16));
    const width = sheet.clientWidth, height = Math.round(width * (width < 500 ? 1 : 0.62)), ratio = window.devicePixelRatio || 1;
    Object.assign(sheet, { width: width * ratio, height: height * ratio });
    const context = sheet.getContext("2d"), size = width < 500 ? 30 : 42;
    context.scale(ratio, ratio);
    const put = (image, place, colour, large) => {
      const picture = show(make("canvas", {}), image, colour);
      context.drawImage(picture, across(place) * width - large / 2, down(place) * height - large / 2, large, large);
    };
    places.forEach((place, character) => {
      put(siamese.picture(character * given.drawers), place, numbers(COLOURS[given.alphabets[character] % COLOURS.length]), size);
    });
    map.querySelector(".said").textContent = own ? "Your first drawing is on the map, in the frame." : "";
    if (!own) return;
    const place = project(own), large = size + 14, { size: side } = siamese.plan;
    const [left, top] = [across(place) * width - large / 2, down(place) * height - large / 2];
    Object.assign(context, { fillStyle: style.getPropertyValue("--card"), strokeStyle: style.getPropertyValue("--accent"), lineWidth: 3 });
    context.fillRect(left, top, large, large);
    context.strokeRect(left, top, large, large);
    put({ values: pads[0].pixels, width: side, height: side }, place, numbers("--ink"), large);
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawMap());
  window.addEventListener("resize", () => drawMap());

  let givenAway = 0;
  // twice in a row it is the same character by two hands
  const give = (side) => {
    const character = (7 * (givenAway >> 1)) % given.alphabets.length;
    const { values } = siamese.enlarge(siamese.picture(character * given.drawers + givenAway++ % given.drawers), side);
    return values.map((value) => 255 - value);
  };
  const pads = [...document.querySelectorAll(".try .pad")].map((box, i) => makePad(box, (pad) => {
    pad.pixels = siamese.drawing(pad.ink.map((value) => 255 - value), pad.side);
    pad.vector = pad.pixels && siamese.embed(pad.pixels);
    compare();
    if (i) return;
    seek();
    drawMap();
  }, give));
  compare();
  showTwenty();
  drawMap();

  // ---- the game ----

  const QUESTIONS = 10;
  const game = document.getElementById("game"), part = (name) => game.querySelector(name);
  const [start, play, end, next] = [".start", ".play", ".end", ".next"].map(part);
  const choices = part(".tiles"), said = part(".said"), score = part(".score");
  const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
  let first = 0, number, you, network, time, begun, clock, thinking;

  const tell = () => {
    const running = begun === null ? 0 : performance.now() - begun;
    score.textContent = `Question ${number + 1} of ${QUESTIONS} · you ${you}, the network ${network} · ${Math.floor((time + running) / 1000)} s`;
  };
  // the network's answer to an episode: the most similar of the support, and the milliseconds that its images took
  const answer = async ({ query, support }) => {
    const [asks, ...others] = await embedded([query, ...support]);
    const values = others.map((each) => siamese.similarity(asks.vector, each.vector));
    return { choice: values.indexOf(Math.max(...values)), took: [asks, ...others].reduce((sum, each) => sum + each.took, 0) };
  };
  const episode = () => given.episodes[(first + number) % given.episodes.length];
  const buttons = () => [...choices.querySelectorAll("button")];
  const ask = () => {
    const { query, support } = episode();
    show(part(".query"), siamese.picture(query));
    choices.replaceChildren(...support.map((picture, i) => tile(picture, LETTERS[i], "button")));
    buttons().forEach((button, i) => {
      Object.assign(button, { type: "button", tabIndex: i ? -1 : 0 });
      button.setAttribute("aria-label", `Character ${LETTERS[i]}`);
      button.addEventListener("click", () => choose(i));
    });
    [said.textContent, next.hidden, begun] = ["", true, performance.now()];
    tell();
    thinking = answer(episode());
    buttons()[0].focus({ preventScroll: true });
  };
  const choose = async (choice) => {
    if (begun === null) return;
    time += performance.now() - begun;
    begun = null;
    const { target } = episode(), all = buttons();
    all.forEach((button) => { button.disabled = true; });
    said.textContent = "The network is still looking …";
    const { choice: its, took } = await thinking;
    you += choice === target;
    network += its === target;
    spent += took;
    const mark = (i, name, words) => { all[i].classList.add(name); all[i].lastChild.textContent += ` ${words}`; };
    mark(target, "right", "✓");
    if (choice !== target) mark(choice, "wrong", "✗ you");
    if (its !== target) mark(its, "wrong", "✗ network");
    const says = its === target ? "has it right" : `says ${LETTERS[its]}`;
    said.textContent = `${choice === target ? "Right" : "No"}: it is ${LETTERS[target]}. The network ${says}.`;
    tell();
    next.textContent = number + 1 < QUESTIONS ? "Next" : "The result";
    next.hidden = false;
    next.focus({ preventScroll: true });
  };
  const finish = () => {
    clearInterval(clock);
    play.hidden = true;
    start.hidden = false;
    start.textContent = "Ten other questions";
    const cell = (tag, text) => make(tag, { textContent: text, ...(tag === "th" ? { scope: "row" } : {}) });
    const of = (right) => `${right} of ${QUESTIONS}`;
    const line = (who, right, took) => make("tr", {}, cell("th", who), cell("td", right), cell("td", took));
    const head = ["", "right", "time"].map((text) => (text ? make("th", { textContent: text, scope: "col" }) : make("td", {})));
    const words = you > network ? "You beat the network." : you < network ? "The network beat you." : "A draw.";
    end.replaceChildren(
      make("p", { className: "verdict" }, words),
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {},
        line("you", of(you), seconds(time)),
        line("the network, in this browser", of(network), seconds(spent)),
        line("people, within an alphabet of Omniglot", `${(100 - given.people).toFixed(1)} %`, "–"))),
    );
    start.focus({ preventScroll: true });
  };
  start.addEventListener("click", () => {
    [number, you, network, time, spent] = [0, 0, 0, 0, 0];
    if (end.childElementCount) first += QUESTIONS;
    end.replaceChildren();
    [start.hidden, play.hidden] = [true, false];
    clock = setInterval(tell, 500);
    ask();
    play.scrollIntoView({ block: "nearest" });
  });
  next.addEventListener("click", () => {
    number += 1;
    if (number < QUESTIONS) ask(); else finish();
  });
  // a key that is held down answers nothing that was not seen yet
  play.addEventListener("keydown", (event) => {
    if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
  });
  choices.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = buttons(), at = all.indexOf(document.activeElement);
    const letter = LETTERS.indexOf(event.key.toUpperCase());
    if (event.key.length === 1 && letter >= 0) { choose(letter); return; }
    const columns = all.filter((button) => button.offsetTop === all[0].offsetTop).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step || !all[at + step]) return;
    event.preventDefault();
    all[at].tabIndex = -1;
    all[at + step].tabIndex = 0;
    all[at + step].focus();
  });
})();
