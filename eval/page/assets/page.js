"use strict";
// Draws what the page's data hold (charts.go, films.go): curves by frame, histograms, films. All
// text is in the page already, or is set as text.

(() => {
  const id = name => document.getElementById(name);
  const data = JSON.parse(id("data").textContent);
  const color = i => charts.css(`--run-${i}`);
  const numbers = n => [...Array(n).keys()];

  // curves draws a metric's curves into a section.
  function curves(section, i, c, lines, x) {
    id(`${section}-section`).hidden = false;
    const series = lines.map(s => ({ label: s.label, color: color(s.color), dash: s.dash ? [6, 4] : undefined,
      curve: { step: s.step || numbers(s.value.length).map(k => k + 1), value: s.value, low: s.low, high: s.high } }));
    charts.draw(charts.place(id(section), String(i), `${c.label}, ${c.better}`), series, { x, whole: true, text: v => v == null ? "–" : v.toFixed(c.digits) });
  }

  // A histogram is a curve in steps: from nothing below the first bin to nothing above the last.
  function histogram(i, c) {
    id("clips-section").hidden = false;
    const edges = c.histogram.edges, step = [2 * edges[0] - edges[1], ...edges];
    const series = c.histogram.bars.map(b => ({ label: b.label, color: color(b.color), curve: { step, value: [0, ...b.counts, 0] } }));
    charts.draw(charts.place(id("clips"), String(i), c.label), series, { x: c.label, steps: true });
  }

  function draw() {
    for (const [i, c] of data.charts.entries()) {
      if (c.curves) curves("frames", i, c, c.curves, "frame");
      if (c.histogram) histogram(i, c);
      if (c.sizes) curves("sizes", i, c, c.sizes, "clips");
    }
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  if (data.films) films.show(data.films);
})();
