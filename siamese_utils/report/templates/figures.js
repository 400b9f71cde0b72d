// A figure opens large, and says what is under the pointer: data-notes='[[x, y, "words"], …]', x and y as fractions
// from the top left. By keyboard, Enter opens it and the arrow keys step through its notes. Nothing without scripts.
(() => {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const note = make("div", { className: "note", hidden: true });
  const spoken = make("p", { className: "unseen" });
  spoken.setAttribute("aria-live", "polite");
  const dialog = make("dialog", { className: "large" });
  dialog.setAttribute("aria-label", "The figure, large");
  const box = make("div", { tabIndex: 0 }), large = make("img", { alt: "" });
  const close = make("button", { type: "button", textContent: "Close" });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "The figure, scrolls");
  dialog.append(close, box);
  document.body.append(spoken, dialog, note);

  const notesOf = (image) => {
    try { return JSON.parse(image.dataset.notes || "[]"); } catch { return []; }
  };
  const hide = () => { note.hidden = true; };
  const show = (image, [x, y, words]) => {
    (image.closest("dialog") || document.body).append(note); // a dialog lies above everything else
    const frame = image.getBoundingClientRect();
    const left = frame.left + x * frame.width, top = frame.top + y * frame.height;
    note.textContent = words;
    note.hidden = false;
    note.style.left = `${Math.max(4, Math.min(left + 12, innerWidth - note.offsetWidth - 4))}px`;
    note.style.top = `${Math.max(4, Math.min(top + 12, innerHeight - note.offsetHeight - 4))}px`;
  };
  document.addEventListener("pointermove", (event) => {
    const image = event.target.closest?.("img[data-notes]");
    if (!image) return hide();
    const frame = image.getBoundingClientRect();
    const away = ([x, y]) => Math.hypot(frame.left + x * frame.width - event.clientX, frame.top + y * frame.height - event.clientY);
    const near = notesOf(image).map((each) => [away(each), each]).sort(([a], [b]) => a - b)[0];
    if (near && near[0] <= 18) show(image, near[1]); else hide();
  });
  document.addEventListener("scroll", hide, true);

  document.querySelectorAll("main img").forEach((image) => {
    if (image.closest("a, button, table, summary")) return;
    const button = make("button", { type: "button", className: "zoom", title: "Enlarge" });
    button.setAttribute("aria-haspopup", "dialog");
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      hide();
      large.src = image.src;
      large.alt = image.alt;
      if (image.dataset.notes) large.dataset.notes = image.dataset.notes; else delete large.dataset.notes;
      box.replaceChildren(large);
      dialog.showModal();
    });
    const notes = notesOf(image);
    if (!notes.length) return;
    let at = -1;
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      at = at < 0 && step < 0 ? notes.length - 1 : (at + step + notes.length) % notes.length;
      show(image, notes[at]);
      spoken.textContent = notes[at][2];
    });
    button.addEventListener("blur", hide);
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { hide(); box.replaceChildren(); });
})();
