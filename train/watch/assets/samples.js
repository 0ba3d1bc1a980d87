"use strict";
// Shows the samples of a step: of each run the newest ones that are not of a later step.

const samples = (() => {
  const slider = document.getElementById("sample-step"), at = document.getElementById("sample-at");
  const kind = document.getElementById("sample-kind"), box = document.getElementById("samples");
  let runs = [], steps = [];

  // The samples of a run that the slider's step shows.
  const chosen = run => (run.samples || []).filter(s => s.step <= steps[slider.value]).at(-1);

  function show(shown) {
    const latest = steps.length === 0 || +slider.value === steps.length - 1; // then it stays at the newest
    const step = steps[slider.value];
    runs = shown;
    steps = [...new Set(runs.flatMap(r => (r.samples || []).map(s => s.step)))].sort((a, b) => a - b);
    document.getElementById("samples-section").hidden = steps.length === 0;
    slider.max = Math.max(0, steps.length - 1);
    slider.value = latest ? steps.length - 1 : Math.max(0, steps.findLastIndex(s => s <= step));
    document.getElementById("sample-kind-label").hidden = !runs.some(r => (r.samples || []).some(s => s.film && s.sheet));
    draw();
  }

  function draw() {
    at.textContent = steps.length ? steps[slider.value] : "";
    box.classList.toggle("sheets", kind.value === "sheet");
    const figures = new Map([...box.children].map(f => [f.dataset.run, f]));
    for (const run of runs) {
      const s = chosen(run);
      let figure = figures.get(run.key);
      if (!s) continue;
      if (!figure) {
        figure = document.createElement("figure");
        figure.dataset.run = run.key;
        const caption = document.createElement("figcaption"), picture = document.createElement("div");
        picture.className = "picture";
        picture.append(document.createElement("img"));
        figure.append(caption, picture);
        box.append(figure);
      }
      figures.delete(run.key);
      figure.firstChild.textContent = `${run.name}, step ${s.step}`;
      const image = figure.querySelector("img"), source = s[kind.value] || s.film || s.sheet;
      image.className = source === s.film ? "film" : "sheet";
      image.alt = `samples of ${run.name} at step ${s.step}`;
      if (source && image.getAttribute("src") !== source) image.setAttribute("src", source);
    }
    figures.forEach(f => f.remove());
  }

  slider.addEventListener("input", draw);
  kind.addEventListener("change", draw);
  return { show };
})();
