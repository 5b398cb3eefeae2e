"use strict";
(() => {
  const all = JSON.parse(document.getElementById("document").textContent);
  const at = (id) => document.getElementById(id);
  const whole = new Intl.NumberFormat("en");
  const percent = (share, digits = 1) => (share === null || share === undefined ? "" : `${(100 * share).toFixed(digits)} %`);
  const fixed = (value, digits = 3) => (value === null || value === undefined ? "" : value.toFixed(digits));
  const BLUE = "#0072B2", ORANGE = "#D55E00", GREY = "#9aa4ae", Z = 1.959963984540054;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const dates = Object.keys(all.index).sort();
  const answered = new Map(dates.map((date) => [date, sum(all.index[date])]));
  const total = sum([...answered.values()]);
  const above = (counts, threshold) => sum(counts.slice(threshold));

  function wilson(hits, n) {
    if (!n) return { value: null, low: 0, high: 1 };
    const p = hits / n, centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n);
    const half = Z / (1 + Z * Z / n) * Math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n));
    return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
  }
  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
  // Columns: [heading, is it text?]; cells: strings or elements
  function table(columns, rows, empty) {
    if (!rows.length) return element("p", empty || "None.", "quiet");
    const made = element("table"), head = made.createTHead().insertRow();
    for (const [name, text] of columns) {
      const cell = element("th", name, text ? "text" : "");
      cell.scope = "col";
      head.append(cell);
    }
    const body = made.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((value, place) => {
        const cell = line.insertCell();
        if (columns[place][1]) cell.className = "text";
        if (value instanceof Node) cell.append(value); else cell.textContent = value;
      });
    }
    return made;
  }
  const put = (id, node) => at(id).replaceChildren(node);
  function bar(share) {
    const made = element("span"), box = element("span", undefined, "bar"), fill = element("i");
    fill.style.width = `${Math.min(100, 100 * (share || 0))}%`;
    box.append(fill);
    made.append(box, percent(share));
    return made;
  }

  const layout = (title, more) => ({
    title: { text: title, font: { size: 14.5 }, x: 0.02, xanchor: "left" }, height: 300, template: "none",
    margin: { l: 62, r: 18, t: 44, b: 44 }, font: { family: "system-ui, Segoe UI, DejaVu Sans, sans-serif", size: 12, color: "#1f2328" },
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", ...more,
  });
  const below = { legend: { orientation: "h", y: -0.34, yanchor: "top", x: 0.5, xanchor: "center" }, margin: { l: 62, r: 18, t: 44, b: 84 } };
  const config = { displayModeBar: false, responsive: true };
  const dayAxis = { title: { text: "Day (UTC)" }, type: dates.length > 5 ? "date" : "category", gridcolor: "#eef1f4" };
  const axis = (text, more) => ({ title: { text }, gridcolor: "#e6eaee", zerolinecolor: "#c9d1d9", rangemode: "tozero", ...more });
  const draw = (id, data, title, more) => Plotly.react(at(id), data, layout(title, more), config);

  // Weekends differ, so that a line through days would hide what changes: seven days together
  function weekly(threshold) {
    return dates.map((_, place) => {
      const part = dates.slice(Math.max(0, place - 6), place + 1);
      const n = sum(part.map((date) => answered.get(date)));
      return n ? 100 * sum(part.map((date) => above(all.index[date], threshold))) / n : null;
    });
  }
  const classes = Array.from({ length: 20 }, (_, place) => place * 5);
  const inClass = classes.map((low) => sum(dates.map((date) => sum(all.index[date].slice(low, low === 95 ? 101 : low + 5)))));

  function showRates(threshold) {
    const rates = dates.map((date) => (answered.get(date) ? 100 * above(all.index[date], threshold) / answered.get(date) : null));
    const lines = weekly(threshold);
    const first = lines.find((value) => value !== null), last = lines.filter((value) => value !== null).pop();
    const title = dates.length > 13 ? `Automatic: ${first.toFixed(0)} % in the first days, ${last.toFixed(0)} % in the last week` : `Automatic: ${last.toFixed(0)} %`;
    draw("rate", [
      { x: dates, y: rates, mode: dates.length > 60 ? "lines" : "lines+markers", line: { color: GREY, width: 1 }, name: "Day", hovertemplate: "%{x}: %{y:.1f} %<extra></extra>" },
      { x: dates, y: lines, mode: "lines", line: { color: BLUE, width: 2.5 }, name: "Seven days", hovertemplate: "%{x}: %{y:.1f} %<extra></extra>" },
    ], title, { xaxis: dayAxis, yaxis: axis("Coded automatically (%)", { range: [0, 100] }), ...below });
    const low = sum(inClass.slice(0, 4)) / Math.max(1, total);
    draw("distribution", [{
      x: classes.map((value) => (value + 2.5) / 100), y: inClass, type: "bar", width: 0.046, name: "Descriptions",
      marker: { color: classes.map((value) => (value >= threshold ? BLUE : GREY)) }, hovertemplate: "index about %{x:.2f}: %{y:,}<extra></extra>",
    }], `${percent(low, 0)} have an index below 0.2`, {
      xaxis: { title: { text: "Confidence index (blue: at or above the threshold)" }, range: [0, 1] }, yaxis: axis("Descriptions"), bargap: 0,
      shapes: [{ type: "line", x0: threshold / 100, x1: threshold / 100, y0: 0, y1: 1, yref: "paper", line: { color: ORANGE, width: 2, dash: "dash" } }],
    });
  }
  function showFixed() {
    const days = all.days, x = days.map((day) => day.date);
    const busiest = days.reduce((best, day) => (day.requests > best.requests ? day : best), days[0]);
    draw("requests", [{ x, y: days.map((day) => day.requests), type: "bar", marker: { color: BLUE }, name: "Requests", hovertemplate: "%{x}: %{y:,}<extra></extra>" }],
      `Busiest day: ${busiest.date}, ${whole.format(busiest.requests)} requests`, { xaxis: dayAxis, yaxis: axis("Requests"), bargap: 0.1 });
    draw("latency", [
      { x, y: days.map((day) => day.latency_p50_ms), mode: "lines+markers", marker: { size: x.length > 60 ? 1 : 5 }, line: { color: BLUE }, name: "Half are faster (p50)", hovertemplate: "%{y:.1f} ms<extra></extra>" },
      { x, y: days.map((day) => day.latency_p99_ms), mode: "lines+markers", marker: { size: x.length > 60 ? 1 : 5 }, line: { color: ORANGE }, name: "99 of 100 are faster (p99)", hovertemplate: "%{y:.1f} ms<extra></extra>" },
    ], `Half of all requests take up to ${fixed(all.latency.p50, 1)} ms`, { xaxis: dayAxis, yaxis: axis("Latency (ms)"), ...below });
    put("versions", table([["Version", true], ["Deployment", true], ["From"], ["To"], ["Predictions"], [`At ${all.threshold.toFixed(2)}`]],
      all.versions.map((row) => [row.version, row.deployment, row.first, row.last, whole.format(row.predictions), percent(row.automatic.value)])));
    put("errors", table([["Error", true], ["Predictions"], ["Share"]], all.errors.map((row) => [row.error, whole.format(row.n), percent(row.share.value, 2)]), "No prediction was refused."));
    showWindows();
  }
  function showWindows() {
    if (!all.windows) { at("windows-part").hidden = true; return; }
    const { compared, drift, threshold } = all.windows, { before, after } = compared;
    const points = (change) => `${change.value >= 0 ? "+" : "−"}${Math.abs(100 * change.value).toFixed(1)} points (${(100 * change.low).toFixed(1)} to ${(100 * change.high).toFixed(1)})`;
    const ratio = (a, b) => (a ? `${b >= a ? "+" : "−"}${Math.abs(100 * (b - a) / a).toFixed(0)} %` : "");
    put("windows", table([["", true], [before.window.replace("..", " to ")], [after.window.replace("..", " to ")], ["Change (95 % interval)"]], [
      ["Predictions a day", whole.format(Math.round(before.per_day)), whole.format(Math.round(after.per_day)), ratio(before.per_day, after.per_day)],
      [`Automatic at ${threshold.toFixed(2)}`, percent(before.automatic.value), percent(after.automatic.value), points(compared.automatic)],
      ["Refused", percent(before.errors.value, 2), percent(after.errors.value, 2), points(compared.errors)],
      ["Latency p99 (ms)", fixed(before.latency_ms.p99, 1), fixed(after.latency_ms.p99, 1), ratio(before.latency_ms.p99, after.latency_ms.p99)],
    ]));
    const verdict = (row) => element("span", row.verdict, { changed: "changed", "unusual but small": "unusual" }[row.verdict] || "");
    put("drift", table([["Variable", true], ["", true], ["Hellinger"], ["Usual"], ["Last year"], ["Bhattacharyya"], ["Kullback–Leibler"], ["Kolmogorov–Smirnov"], ["Cramér's V"], ["χ²"], ["Finding", true]],
      drift.map((row) => [row.label, row.kind, fixed(row.distances.hellinger), fixed(row.baseline.hellinger), row.season_usual ? fixed(row.season_usual.hellinger) : "", fixed(row.distances.bhattacharyya, 4),
        fixed(row.distances.kullback_leibler, 4), fixed(row.distances.ks), fixed(row.distances.cramers_v), whole.format(Math.round(row.distances.chi_squared)), verdict(row)])));
  }

  let under = [];
  const ancestor = (row, depth) => row.path[Math.min(depth, row.path.length - 1)];
  function grouped(threshold) {
    const depth = under.length, groups = new Map();
    for (const row of all.codes) {
      if (!under.every((code, place) => row.path[place] && row.path[place][0] === code)) continue;
      const [code, title] = ancestor(row, depth);
      const group = groups.get(code) || { code, title, n: 0, hits: 0, deeper: false };
      group.n += sum(row.counts);
      group.hits += above(row.counts, threshold);
      group.deeper = group.deeper || row.path.length > depth + 1;
      groups.set(code, group);
    }
    return [...groups.values()].sort((a, b) => b.n - a.n);
  }
  function showDrill(threshold) {
    const groups = grouped(threshold), shown = sum(groups.map((group) => group.n));
    put("drill", table([["Code", true], ["Title", true], ["Predictions"], ["Share"], ["Automatic"], ["95 % interval"]], groups.map((group) => {
      const rate = wilson(group.hits, group.n);
      let code = element("span", group.code);
      if (group.deeper) {
        code = element("button", group.code);
        code.title = `Look inside ${group.code}`;
        code.addEventListener("click", () => { under = [...under, group.code]; show(); });
      }
      return [code, group.title, whole.format(group.n), percent(group.n / shown), bar(rate.value), `${(100 * rate.low).toFixed(1)} to ${(100 * rate.high).toFixed(1)} %`];
    })));
    const trail = at("trail");
    trail.replaceChildren();
    ["All sections", ...under].forEach((name, place) => {
      if (place) trail.append(" › ");
      if (place === under.length) { trail.append(name); return; }
      const back = element("button", name);
      back.addEventListener("click", () => { under = under.slice(0, place); show(); });
      trail.append(back);
    });
    const finest = all.codes.map((row) => {
      const [code, title] = row.path[row.path.length - 1], n = sum(row.counts);
      return { code, title, n, rate: wilson(above(row.counts, threshold), n) };
    });
    const lines = (rows) => rows.slice(0, 8).map((row) => [row.code, row.title, whole.format(row.n), percent(row.rate.value)]);
    const columns = [["Code", true], ["Title", true], ["Predictions"], ["Automatic"]];
    put("hardest", table(columns, lines(finest.filter((row) => row.n >= 30).sort((a, b) => a.rate.high - b.rate.high)), "No class was predicted 30 times."));
    put("rarest", table(columns, lines([...finest].sort((a, b) => a.n - b.n))));
  }
  function showGold(threshold) {
    if (!all.gold || all.gold.message) {
      put("gold", element("p", all.gold ? all.gold.message : "No gold standard is shown: sample and annotate with autonoe nace annotate, then write this page again."));
      return;
    }
    const place = Math.floor(threshold / all.gold.step) * all.gold.step, found = all.gold.at[place];
    const cell = (rate) => (rate && rate.n ? `${percent(rate.value)} (${(100 * rate.low).toFixed(1)} to ${(100 * rate.high).toFixed(1)})` : "");
    const box = element("div");
    box.append(element("p", `At ${(place / 100).toFixed(2)}, weighted: ${cell(found.blended)} of the final codes are right when people are.`));
    box.append(table([["Level", true], [`Coded automatically (n = ${found.auto.n})`], [`Left to people (n = ${found.manual.n}), model's first code`], [`All (n = ${found.all.n})`]],
      Object.entries(all.gold.names).filter(([level]) => found.all.levels[level]).map(([level, name]) => [name, ...["auto", "manual", "all"].map((part) => cell(found[part].levels[level]))])));
    const kappa = (one) => (one.n ? `${one.value.toFixed(2)} (${one.low.toFixed(2)} to ${one.high.toFixed(2)})` : "");
    for (const { round, agreement, model } of all.gold.rounds) {
      box.append(element("h3", `People beside the model, round ${round}`));
      box.append(table([["Level", true], ["Two people agree"], ["Cohen's kappa"], ["The model is right"]],
        Object.entries(agreement).map(([level, row]) => [level, cell(row.percent), kappa(row.kappa), cell(model[level].all)])));
    }
    put("gold", box);
  }
  function showCards(threshold, rate) {
    const requests = sum(all.days.map((day) => day.requests)), refused = sum(all.days.map((day) => day.errors));
    const predictions = sum(all.days.map((day) => day.predictions));
    const cards = [[whole.format(predictions), "descriptions"], [whole.format(requests), "requests"], [percent(rate.value), `automatic at ${(threshold / 100).toFixed(2)}`],
      [percent(refused / Math.max(1, predictions), 2), "refused"], [`${fixed(all.latency.p99, 1)} ms`, "99 of 100 requests are faster"]];
    at("cards").replaceChildren(...cards.map(([value, label]) => {
      const card = element("div", undefined, "card");
      card.append(element("b", value), element("span", label));
      return card;
    }));
    put("by-day", table([["Day (UTC)", true], ["Requests"], ["Descriptions"], ["Refused"], ["Automatic"], ["p50 (ms)"], ["p99 (ms)"]], all.days.map((day) => {
      const n = answered.get(day.date) || 0;
      return [day.date, whole.format(day.requests), whole.format(day.predictions), whole.format(day.errors), n ? percent(above(all.index[day.date], threshold) / n) : "", fixed(day.latency_p50_ms, 1), fixed(day.latency_p99_ms, 1)];
    })));
  }
  const slider = at("threshold");
  function show() {
    const threshold = Number(slider.value), hits = sum(dates.map((date) => above(all.index[date], threshold))), rate = wilson(hits, total);
    at("chosen").textContent = (threshold / 100).toFixed(2);
    at("finding").textContent = `At ${(threshold / 100).toFixed(2)}, ${percent(rate.value)} of ${whole.format(total)} descriptions are coded automatically`;
    at("interval").textContent = `95 % interval ${percent(rate.low)} to ${percent(rate.high)}; the other ${whole.format(total - hits)} go to a person.`;
    showCards(threshold, rate);
    showRates(threshold);
    showDrill(threshold);
    showGold(threshold);
  }
  at("about").textContent = `${all.source}, ${all.span[0]} to ${all.span[1]}`;
  at("footer").textContent = `Made ${all.made.replace("T", " ").replace("+00:00", " UTC")} from prediction logs. The file holds counts only, no text of a request.`;
  slider.value = Math.round(100 * all.threshold);
  slider.addEventListener("input", show);
  showFixed();
  show();
})();
