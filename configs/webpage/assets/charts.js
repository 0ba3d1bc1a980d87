"use strict";
// Draws charts, with curves over each other that have a colour each.

const charts = (() => {
  const drawn = new Map(); // uPlot objects, by the element that they are in
  const sync = uPlot.sync("curves");
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Numbers in few characters: 250k, 3.2G, 0.05, 1.9e-4.
  function short(x) {
    if (x == null || !isFinite(x)) return "–";
    x = +x.toPrecision(4); // so that 999.99G is 1T
    for (const [from, factor, unit] of [[1e12, 1e12, "T"], [1e9, 1e9, "G"], [1e6, 1e6, "M"], [1e4, 1e3, "k"]]) {
      if (Math.abs(x) >= from) return +(x / factor).toPrecision(3) + unit;
    }
    if (x !== 0 && Math.abs(x) < 1e-3) return x.toExponential(2).replace(/\.?0+e/, "e");
    return String(+x.toPrecision(Math.abs(x) >= 1000 ? 4 : 3));
  }

  // A moving average whose weights sum up to 1 from the first value on (runs.Smooth in Go).
  function smooth(values, weight) {
    let sum = 0, total = 0;
    return values.map(x => {
      if (x == null) return x;
      sum = weight * sum + (1 - weight) * x;
      total = weight * total + (1 - weight);
      return sum / total;
    });
  }

  // A curve's columns: x, then its values, and then the smoothed ones if there is a weight, or else
  // the edges of its band if it has one.
  function columns(curve, options) {
    let x = curve.step, y = curve.value;
    if (options.axis === "time") {
      const known = x.map((_, i) => i).filter(i => curve.time[i] > 0);
      const first = curve.begin || (known.length ? curve.time[known[0]] : 0);
      x = known.map(i => (curve.time[i] - first) / 3600);
      y = known.map(i => curve.value[i]);
    }
    if (options.log) y = y.map(v => v == null || v > 0 ? v : null);
    if (options.weight > 0) return [x, y, smooth(y, options.weight)];
    return curve.low ? [x, y, curve.low, curve.high] : [x, y];
  }

  function axis(options) {
    return { stroke: css("--faint"), font: "12px system-ui, sans-serif", grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--line"), width: 1 }, ...options };
  }

  // The range of a logarithmic axis: not whole decades, of which much can be empty.
  function range(_, low, high) {
    if (!(low > 0 && high > 0)) return [0.1, 1];
    const room = Math.max((high / low) ** 0.05, 1.05);
    return [low / room, high * room];
  }

  // The ticks of a logarithmic axis: at 1, 2 and 5 of each decade, at powers of ten only if there
  // are many, evenly spaced if there are few.
  function ticks(_, __, low, high) {
    const decades = Math.log10(high / low), all = [];
    if (decades < 0.9) {
      const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find(f => f * power >= rough);
      for (let i = Math.ceil(low / step); i * step <= high; i++) all.push(+(i * step).toPrecision(12));
      return all;
    }
    const every = Math.ceil(decades / 7);
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      for (const f of decades < 3 ? [1, 2, 5] : [1]) {
        const v = +`${f}e${e}`;
        if (v >= low && v <= high && e % every === 0) all.push(v);
      }
    }
    return all;
  }

  // The value under the cursor, or else the last one; of a histogram, how many there are in all.
  const read = options => (plot, value, series, index) => {
    const all = plot.data[series];
    if (index != null) return (options.text || short)(value);
    return options.steps ? `${all.reduce((sum, n) => sum + (n || 0), 0)} in all` : (options.text || short)(all.findLast(v => v != null));
  };

  // The name of the horizontal axis, and the place of the cursor, or else the last one; of a histogram,
  // from where to where it goes.
  const readX = options => ({ label: options.axis === "time" ? "hours" : options.x || "step",
    value: (plot, v, _, index) => {
      const all = plot.data[0];
      if (options.steps) return index == null ? `${short(all[1])} to ${short(all.at(-1))}` : `from ${short(v)}`;
      return String(+(index == null ? all.at(-1) ?? 0 : v).toFixed(2));
    } });

  // Lines of uPlot for series, and the bands around them. Some lines are silent: they need no place
  // in the legend.
  function linesOf(series, options) {
    const lines = [readX(options)], silent = new Set(), bands = [];
    const quiet = line => { silent.add(lines.length); lines.push({ ...line, points: { show: false } }); };
    for (const s of series) {
      const line = { label: s.label, stroke: s.color, width: 1.6, dash: s.dash, value: read(options), points: { size: 4, fill: s.color } };
      if (options.steps) Object.assign(line, { paths: uPlot.paths.stepped({ align: 1 }), fill: s.color + "2e", points: { show: false } });
      if (options.weight > 0) quiet({ ...line, width: 0.8, alpha: 0.3 });
      lines.push(line);
      if (s.curve.low && !(options.weight > 0)) {
        bands.push({ series: [lines.length + 1, lines.length], fill: s.color + "26" });
        for (const edge of ["lower", "upper"]) quiet({ label: `${s.label}, ${edge}`, stroke: "transparent", width: 0 });
      }
    }
    return { lines, silent, bands };
  }

  // Draws series into an element. Each series: a label, a colour, a curve, which is step (what is on
  // the horizontal axis), value and perhaps low and high, a band. Options: axis "time" for hours
  // instead of steps, x for the name of steps, log, weight of smoothing, whole for whole steps, steps
  // for a histogram, text for values as they are written.
  function draw(element, series, options) {
    const data = uPlot.join(series.map(s => columns(s.curve, options)));
    const scheme = css("--paper");
    const shape = JSON.stringify([series.map(s => [s.label, s.color, s.dash, !s.curve.low]), options.log, options.axis, options.weight > 0, scheme]);
    const old = drawn.get(element);
    if (old && old.shape === shape) {
      old.plot.setData(data);
      return;
    }
    if (old) old.plot.destroy();
    const { lines, silent, bands } = linesOf(series, options);
    const fromZero = (_, low, high) => [0, Math.max(high, 1) * 1.06];
    const plot = new uPlot({
      width: Math.max(200, element.clientWidth), height: 230, series: lines, bands,
      scales: { x: { time: false }, y: options.log ? { distr: 3, range } : options.steps ? { range: fromZero } : {} },
      axes: [axis({ size: 32, values: (_, all) => all.map(short), ...(options.whole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] } : {}) }),
        axis({ size: 58, values: (_, all) => all.map(short), ...(options.log ? { splits: ticks, filter: (_, all) => all } : {}) })],
      cursor: { ...(options.steps ? {} : { sync: { key: sync.key, setSeries: false } }), drag: { x: true, y: false }, points: { size: 6 } },
    }, data, element);
    plot.root.querySelectorAll(".u-legend .u-series").forEach((row, i) => { row.hidden = silent.has(i); });
    drawn.set(element, { plot, shape });
  }

  function remove(element) {
    const old = drawn.get(element);
    if (old) old.plot.destroy();
    drawn.delete(element);
    element.remove();
  }

  const resized = new ResizeObserver(entries => {
    for (const e of entries) {
      const of = drawn.get(e.target);
      if (of && of.plot.width !== e.target.clientWidth) of.plot.setSize({ width: Math.max(200, e.target.clientWidth), height: 230 });
    }
  });

  // The element of a chart in a parent, made if it is new.
  function place(parent, key, title) {
    let box = [...parent.children].find(c => c.dataset.key === key);
    if (!box) {
      box = document.createElement("div");
      box.className = "chart";
      box.dataset.key = key;
      const head = document.createElement("h3");
      head.textContent = title;
      const canvas = document.createElement("div");
      box.append(head, canvas);
      parent.append(box);
      resized.observe(canvas);
    }
    return box.lastChild;
  }

  return { draw, place, remove, short, css };
})();
