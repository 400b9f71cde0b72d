// a slide that is too long is set smaller, within reason; the rest scrolls
const fit = () => {
  const slide = Reveal.getCurrentSlide();
  for (let size = 25; size > 18 && slide.scrollHeight > slide.clientHeight; size--) slide.style.fontSize = `${size}px`;
};
Reveal.on("slidechanged", fit);
Reveal.initialize({
  width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t", transition: "none",
  plugins: [RevealNotes],
}).then(fit);
