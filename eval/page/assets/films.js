"use strict";
// Plays films beside each other, all at the same frame. A film is a picture of all its frames, of
// which a canvas shows one.

const films = (() => {
  const id = name => document.getElementById(name);
  const slider = id("frame"), least = 160; // pixels on the screen
  let shown = [], of, playing = false, timer;

  const frames = () => of.past + of.made + of.future;
  const generated = frame => frame >= of.past && frame < of.past + of.made;

  // draw shows a frame of each film, or how far it is from the real one.
  function draw() {
    const frame = +slider.value, differences = id("differences").checked;
    id("frame-at").textContent = frame + 1;
    for (const { canvas, image, film, real, score } of shown) {
      const context = canvas.getContext("2d"), area = [frame * of.width, 0, of.width, of.height, 0, 0, of.width, of.height];
      context.globalCompositeOperation = "source-over";
      context.drawImage(image, ...area);
      if (differences && real && !film.real && generated(frame)) {
        context.globalCompositeOperation = "difference";
        context.drawImage(real, ...area);
      }
      canvas.className = !generated(frame) ? "given" : film.real ? "" : "made";
      const value = film.scores && generated(frame) ? film.scores[frame - of.past] : null;
      score.textContent = value == null ? "" : `this frame: ${charts.short(value)}`;
    }
  }

  function play(on) {
    playing = on;
    id("play").textContent = on ? "pause" : "play";
    clearInterval(timer);
    if (on) timer = setInterval(() => { slider.value = (+slider.value + 1) % frames(); draw(); }, 1000 / Math.min(Math.max(of.fps || 8, 2), 12));
  }

  const text = (name, className, content) => Object.assign(document.createElement(name), { className, textContent: content });

  // bar says above a film's frames which of them were given.
  function bar(film) {
    const element = text("div", "bar", "");
    for (const [kind, n] of [["given", of.past], [film.real ? "real" : "made", of.made], ["given", of.future]]) {
      const part = text("span", kind, "");
      part.style.flexGrow = n;
      element.append(part);
    }
    return element;
  }

  function figure(film) {
    const element = document.createElement("figure"), canvas = document.createElement("canvas"), image = new Image();
    const caption = document.createElement("figcaption"), score = text("div", "note now", "");
    canvas.width = of.width;
    canvas.height = of.height;
    const factor = Math.max(1, Math.ceil(least / of.width));
    element.style.setProperty("--strip", `${frames() * Math.max(64, of.width)}px`);
    canvas.style.width = `${of.width * factor + 8}px`;
    caption.append(text("div", "", film.label), ...(film.lines || []).map(line => text("div", "note", line)));
    if (film.problem) caption.append(text("div", "problem", film.problem));
    caption.append(score);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `the ${film.label} film`);
    image.alt = `all frames of the ${film.label} film`;
    element.append(canvas, bar(film), image, caption);
    return { element, canvas, image, film, score };
  }

  // show shows the clips of a message.
  async function show(message) {
    of = message;
    slider.max = frames() - 1;
    const loaded = [];
    for (const clip of of.clips) {
      const box = text("div", "clip", ""), row = text("div", "films", "");
      const figures = clip.films.map(figure), real = clip.films[0].real ? figures[0].image : null;
      const title = text("h3", "", clip.title);
      if (clip.from) title.append(text("span", "from", ` · ${clip.from}`));
      for (const f of figures) {
        f.real = real;
        f.image.src = f.film.source;
        loaded.push(f.image.decode());
        shown.push(f);
        row.append(f.element);
      }
      box.append(title, row);
      id("films").append(box);
    }
    id("differences-label").hidden = !shown.some(f => f.real);
    id("given").hidden = of.past + of.future === 0;
    await Promise.all(loaded);
    id("film-controls").hidden = false;
    slider.addEventListener("input", () => { play(false); draw(); });
    id("differences").addEventListener("change", draw);
    id("strips").addEventListener("change", () => id("films").classList.toggle("stripped", id("strips").checked));
    id("play").addEventListener("click", () => play(!playing));
    slider.value = Math.min(of.past, frames() - 1);
    draw();
    play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  return { show };
})();
