// The page reads without this file. It adds tools beside the contents: search, one button for all code and one for all
// parts; copy buttons; keyboard access to what scrolls; and it marks the section being read.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  document.querySelector(".tools").hidden = false;

  const toggle = (id, selector, [show, hide]) => {
    const button = document.getElementById(id), folds = all(selector);
    button.hidden = folds.length === 0;
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(open));
      button.textContent = open ? hide : show;
      folds.forEach((fold) => { if (open) fold.dataset.was = fold.open; fold.open = open || fold.dataset.was === "true"; });
    });
  };
  toggle("show-code", "details.code", ["Show code", "Hide code"]);
  toggle("open-all", "details:is(.part, .fold)", ["Open all", "Fold again"]);

  const contents = document.querySelector(".toc details");
  const wide = window.matchMedia("(min-width: 64rem)");
  const fold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
  const links = all("a", contents);
  links.forEach((link) => link.addEventListener("click", () => { if (!wide.matches) contents.open = false; }));

  // code can be copied
  all(".highlight").forEach((block) => {
    block.classList.add("copied");
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const code = block.querySelector("pre");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch { // not allowed for a file in this browser: select it
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  });

  // what scrolls sideways can be reached by keyboard
  const boxes = all("main :is(pre, .scroll, math[display=block])");
  const reach = () => boxes.forEach((box, number) => {
    if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight + 1) {
      ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
    } else {
      const words = box.querySelector("caption")?.firstChild?.textContent?.trim();
      const kind = box.matches("pre") ? "Text" : box.matches(".scroll") ? "Table" : "Formula";
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", `${kind} ${number + 1}${words ? `: ${words}` : ""}, scrolls sideways`);
    }
  });
  reach();
  window.addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);

  // search: the contents list what has all the words, the page marks them
  const search = document.getElementById("search"), found = document.getElementById("search-found");
  const target = (link) => document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const place = (link) => target(link).closest("details.part") || target(link).closest("section") || target(link);
  const look = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (element) => words.every((word) => element.textContent.toLowerCase().includes(word));
    links.forEach((link) => { link.parentElement.hidden = words.length > 0 && !has(place(link)); });
    const parts = all("main section, main details.part");
    const hits = words.length ? parts.filter(has) : [];
    parts.forEach((part) => part.classList.toggle("found", hits.includes(part)));
    const sections = hits.filter((hit) => hit.matches("section"));
    found.textContent = words.length ? `${sections.length || "No"} section${sections.length === 1 ? "" : "s"}` : "";
    highlight(words, hits);
    const first = hits.find((hit) => hits.every((other) => other === hit || !hit.contains(other)));
    if (!first) return;
    if (first.matches("details")) first.open = true;
    first.querySelectorAll("details").forEach((fold) => { if (has(fold)) fold.open = true; });
    first.scrollIntoView();
  };
  const highlight = (words, hits) => {
    if (!window.CSS?.highlights) return;
    const ranges = [];
    for (const hit of hits) {
      const texts = document.createTreeWalker(hit, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const text = texts.currentNode.data.toLowerCase();
        for (const word of words) {
          for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
            const range = new Range();
            range.setStart(texts.currentNode, at);
            range.setEnd(texts.currentNode, at + word.length);
            ranges.push(range);
          }
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };
  let pause;
  search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(look, 250); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") search.value = "";
    if (["Escape", "Enter"].includes(event.key)) look();
  });

  // mark the section being read
  const byId = new Map(links.map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const targets = [...byId.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let current = null;
  const mark = () => {
    const above = targets.filter((heading) => heading.getBoundingClientRect().top < 140);
    const link = above.length ? byId.get(above[above.length - 1].id) : null;
    if (link === current) return;
    if (current) current.removeAttribute("aria-current");
    if (link) {
      link.setAttribute("aria-current", "true");
      const nav = document.querySelector(".toc");
      const box = link.getBoundingClientRect(), frame = nav.getBoundingClientRect();
      if (wide.matches && (box.top < frame.top || box.bottom > frame.bottom)) nav.scrollTop += box.top - frame.top - 80;
    }
    current = link;
  };
  let waiting = false;
  window.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();

  // a link opens what it leads to, and what that is folded in
  const unfold = () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();
})();
