// The page reads without this file; it adds one button for all code cells and folds the contents away on phones.
(() => {
  const button = document.getElementById("show-code");
  const cells = document.querySelectorAll("details.code");
  button.hidden = cells.length === 0;
  button.addEventListener("click", () => {
    const show = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(show));
    button.textContent = show ? "Hide code" : "Show code";
    cells.forEach((cell) => { cell.open = show; });
  });

  const contents = document.querySelector(".toc details");
  const wide = window.matchMedia("(min-width: 64rem)");
  const fold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
  const links = [...contents.querySelectorAll("a")];
  links.forEach((link) => link.addEventListener("click", () => { if (!wide.matches) contents.open = false; }));

  // mark the section being read
  const byId = new Map(links.map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const targets = [...byId.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let current = null;
  const mark = () => {
    const above = targets.filter((target) => target.getBoundingClientRect().top < 140);
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
})();
