"use strict";
// Keeps what the messages say (message.go), and shows it: runs, curves, settings. Text is only ever
// set as text, so that a name or a setting is never markup.

(() => {
  const state = { quantities: [], runs: [], now: 0, offset: 0 };
  const hidden = new Set(); // keys of runs that are not shown
  const id = name => document.getElementById(name);
  const colors = 8, dashes = [undefined, [6, 4], [2, 3], [8, 3, 2, 3]];
  const embedded = id("data");

  // take notes a message: pieces of curves replace the points from their index on.
  function take(message) {
    state.quantities = message.quantities || state.quantities;
    state.now = message.now;
    state.offset = Date.now() / 1000 - message.now;
    state.runs = message.runs.map((is, i) => {
      const was = state.runs[i] || { curves: {} };
      const run = { ...is, key: String(i), curves: is.anew ? {} : was.curves, samples: is.samples || was.samples, settings: is.settings || was.settings };
      for (const [name, piece] of Object.entries(is.curves || {})) {
        const old = run.curves[name];
        const join = field => (old ? old[field].slice(0, piece.from) : []).concat(piece[field]);
        run.curves[name] = { width: piece.width, step: join("step"), time: join("time"), value: join("value") };
      }
      return run;
    });
  }

  const shown = () => state.runs.filter(r => !hidden.has(r.key));
  const look = run => ({ color: charts.css(`--run-${run.key % colors}`), dash: dashes[Math.floor(run.key / colors) % dashes.length] });

  // duration in two units at most: 3 d 4 h, 25 min, 40 s.
  function duration(seconds) {
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.round(seconds % 3600 / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.round(seconds % 86400 / 3600)} h`;
  }

  function drawRuns() {
    const body = id("runs").tBodies[0];
    state.runs.forEach((run, i) => {
      let row = body.rows[i];
      if (!row) {
        row = body.insertRow();
        const name = row.insertCell(), label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("span");
        label.className = `name color-${i % colors}`;
        swatch.className = "swatch";
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", () => { box.checked ? hidden.delete(run.key) : hidden.add(run.key); draw(); });
        label.append(box, swatch, document.createElement("span"));
        name.append(label);
        row.insertCell();
        const step = row.insertCell(), bar = document.createElement("progress");
        step.className = `color-${i % colors}`;
        step.append(document.createElement("span"), bar);
      }
      const label = row.cells[0].firstChild;
      label.lastChild.textContent = run.name;
      label.title = run.dir;
      row.cells[1].textContent = run.state;
      row.cells[1].className = run.state === "training" ? "training" : "";
      row.cells[2].firstChild.textContent = run.steps ? `${run.step} of ${run.steps}` : String(run.step);
      row.cells[2].lastChild.max = Math.max(1, run.steps || run.step);
      row.cells[2].lastChild.value = run.step;
      const last = name => run.last[name], text = name => last(name) === undefined ? "" : charts.short(last(name));
      const now = embedded ? state.now : Date.now() / 1000 - state.offset;
      const peak = last("speed/peak_share");
      const rest = [run.left && run.state === "training" ? `about ${duration(run.left)}` : "", text("train/loss"),
        run.bestStep ? `${charts.short(run.bestLoss)} at ${run.bestStep}` : "", text("speed/clips"), text("speed/flops"), peak ? `${Math.round(100 * peak)} %` : "",
        run.logged ? `${duration(Math.max(0, now - run.logged))} ago` : ""];
      rest.forEach((value, k) => { (row.cells[3 + k] || row.insertCell()).textContent = value; });
    });
    const problems = state.runs.flatMap(run => [
      run.problem ? `${run.name}: ${run.problem}` : "",
      run.skipped ? `${run.name}: ${run.skipped} of ${run.step} steps changed nothing, because loss or gradients were not finite` : "",
      run.broken ? `${run.name}: ${run.broken} lines of the log are no lines of a training and were passed over` : ""]).filter(x => x);
    id("problems").replaceChildren(...problems.map(text => Object.assign(document.createElement("p"), { className: "problem", textContent: text })));
  }

  function options(quantity) {
    const axis = id("axis").value, weight = +id("smooth").value;
    return { axis, log: quantity.log && id("scale").value === "log", weight: quantity.noisy ? weight : 0 };
  }

  // begin is when a run's log begins, so that all its curves have one zero of time.
  const begin = run => Math.min(...Object.values(run.curves).flatMap(c => c.time.slice(0, 1)).filter(t => t > 0), Infinity);

  const timed = (run, name) => ({ ...run.curves[name], begin: isFinite(begin(run)) ? begin(run) : 0 });

  function drawCurves() {
    const fifth = name => name.startsWith("validation/fifth");
    const parent = id("curves"), keep = new Set();
    for (const q of state.quantities) {
      const series = shown().filter(r => r.curves[q.name]).map(r => ({ label: r.name, ...look(r), curve: timed(r, q.name) }));
      if (fifth(q.name) || series.length === 0) continue;
      keep.add(q.name);
      const width = Math.max(...series.map(s => s.curve.width));
      const element = charts.place(parent, q.name, q.title);
      element.previousSibling.title = width > 1 ? `a point is the mean of up to ${width} lines of the log` : "";
      charts.draw(element, series, options(q));
    }
    drop(parent, keep);
    const fifths = state.quantities.filter(q => fifth(q.name)), box = id("fifths"), runs = shown().filter(r => fifths.some(q => r.curves[q.name]));
    id("fifths-section").hidden = runs.length === 0;
    for (const run of runs) {
      const series = fifths.map((q, i) => ({ q, i })).filter(({ q }) => run.curves[q.name])
        .map(({ q, i }) => ({ label: q.title.replace("validation loss, ", ""), color: charts.css(`--fifth-${i}`), curve: timed(run, q.name) }));
      const element = charts.place(box, run.key, run.name);
      charts.draw(element, series, options(fifths[0]));
    }
    drop(box, new Set(runs.map(r => r.key)));
  }

  function drop(parent, keep) {
    for (const box of [...parent.children]) {
      if (!keep.has(box.dataset.key)) {
        charts.remove(box.lastChild);
        box.remove();
      }
    }
  }

  // drawTable shows rows of what runs have by name; those that differ stand out.
  function drawTable(table, rows, runs) {
    const head = document.createElement("tr");
    for (const text of ["", ...runs.map(r => r.name)]) {
      head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: text }));
    }
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...rows.map(({ name, values, differs }) => {
      const row = document.createElement("tr");
      row.className = differs ? "differs" : "";
      row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: name }));
      values.forEach(v => row.append(Object.assign(document.createElement("td"), { textContent: v })));
      return row;
    }));
  }

  // compared are rows of names and values, of lists of [name, value], one list for each run.
  function compared(lists) {
    const maps = lists.map(l => new Map(l)), names = [...new Set(lists.flatMap(l => l.map(([name]) => name)))];
    return names.map(name => {
      const values = maps.map(m => m.has(name) ? m.get(name) : "unset");
      return { name, values, differs: values.some(v => v !== values[0]) };
    });
  }

  function drawSettings() {
    const runs = shown().filter(r => r.settings && r.settings.length);
    id("settings-section").hidden = runs.length === 0;
    const several = runs.length > 1;
    id("all-label").hidden = !several;
    const rows = compared(runs.map(r => r.settings.map(s => [s.Path, s.Value]))).filter(row => row.differs || !several || id("all-settings").checked);
    drawTable(id("settings"), rows, runs);
    const ran = shown().filter(r => r.versions);
    id("versions-section").hidden = ran.length === 0;
    drawTable(id("versions"), compared(ran.map(r => Object.entries(r.versions))), ran);
  }

  function draw() {
    id("smoothed").textContent = (+id("smooth").value).toFixed(2);
    drawRuns();
    drawCurves();
    samples.show(shown());
    drawSettings();
    document.title = embedded ? document.title : state.runs.map(r => r.name).join(", ") || "mcvd";
  }

  function connection(text, lost) {
    id("connection").textContent = text;
    id("connection").classList.toggle("lost", lost);
  }

  ["axis", "scale", "smooth", "all-settings"].forEach(name => id(name).addEventListener("input", draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  if (embedded) {
    take(JSON.parse(embedded.textContent));
    connection(`a report of ${new Date(state.now * 1000).toLocaleString()}`, false);
    draw();
    return;
  }
  const source = new EventSource("events");
  source.addEventListener("message", event => { take(JSON.parse(event.data)); connection("live", false); draw(); });
  source.addEventListener("error", () => connection("the connection is lost; the page tries again", true));
  setInterval(drawRuns, 1000); // the age of the last line
})();
