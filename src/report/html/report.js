// The script of report.html: charts to look into, figures to explore, texts to copy. Without it everything but that is there.
//
//   data in the page ─► a kind (lines, bars, strips): what to draw, where the cursor stops, what is read there
//                       a plot: axes, cursor, zoom, keys, legend, table; the same for all kinds
//
// It loads nothing, stores nothing, and puts text into the page as text only.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = 7, DASHES = 4, MOST_ROWS = 1000;

  /** An element with attributes and children; `class` and `on…` as they are called. */
  function make(name, attributes = {}, ...children) {
    const inSvg = ["svg", "g", "path", "rect", "line", "circle", "text", "clipPath"].includes(name);
    const it = inSvg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) it.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) it.setAttribute(key, value === true ? "" : value);
    }
    it.append(...children.filter((child) => child !== null));
    return it;
  }

  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const isNumber = (value) => value !== null && value !== undefined && !Number.isNaN(value);
  const finite = (value) => isNumber(value) && Math.abs(value) !== Infinity;

  // ---- Numbers in words ----

  function scaleOf(unit, size) {
    if (unit === "seconds") {
      if (size >= 6 * 3600) return [3600, " h"];
      if (size >= 3600) return [60, " min"];
      if (size >= 0.9995 || size === 0) return [1, " s"];
      return size >= 0.9995e-3 ? [1e-3, " ms"] : [1e-6, " µs"];
    }
    return { per_second: [1, "/s"], share: [0.01, "%"], factor: [1, "×"] }[unit] || [1, ""];
  }

  /** A number to so many places; with fewer than none, rounded to tens, hundreds, and so on. */
  function plain(value, places) {
    const unit = 10 ** Math.max(0, -places), digits = Math.max(0, places);
    const rounded = Math.round(value / unit) * unit;
    return (places < 0 ? rounded : value).toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  }

  /** A value to four digits, with its unit. */
  function shown(value, unit) {
    if (!isNumber(value)) return "–";
    if (!finite(value)) return value > 0 ? "∞" : "−∞";
    const [divisor, name] = scaleOf(unit, Math.abs(value));
    const digits = { maximumSignificantDigits: 4 };
    return (value / divisor).toLocaleString("en-GB", digits).replace("-", "−") + name;
  }

  /** A mean and half its interval: two digits of the half, and as many places of the mean. */
  function withInterval(mean, half, unit) {
    if (!finite(mean) || !finite(half) || half <= 0) return shown(mean, unit);
    const [divisor, name] = scaleOf(unit, Math.max(Math.abs(mean), half));
    const places = Math.min(9, 1 - Math.floor(Math.log10(half / divisor)));
    return `${plain(mean / divisor, places)} ± ${plain(half / divisor, places)}${name}`;
  }

  const between = (low, high, unit) => (finite(low) && finite(high) && low < high ? ` (${shown(low, unit)} to ${shown(high, unit)})` : "");

  /** A name on at most so many lines of so many pixels; what does not fit is cut. */
  function wrapped(name, room, most) {
    const done = [];
    for (const word of name.split(" ")) {
      const last = done.at(-1);
      if (last !== undefined && (wide(`${last} ${word}`) <= room || done.length === most)) done[done.length - 1] = `${last} ${word}`;
      else done.push(word);
    }
    return done.map((it) => cut(it, room));
  }

  // ---- Scales ----

  function niceStep(rough) {
    const power = 10 ** Math.floor(Math.log10(rough) + 1e-9);
    return [1, 2, 2.5, 5, 10].map((it) => it * power).find((it) => it >= rough * 0.9999);
  }

  /** From values to pixels. `ends`: whether it ends at ticks. */
  function scale(axis, low, high, wanted, ends) {
    const log = axis.log;
    if (!(low <= high) || (log && low <= 0)) [low, high] = log ? [1, 10] : [0, 1];
    let ticks = [];
    if (log) {
      if (high / low < 1.01) [low, high] = [low / 1.5, high * 1.5];
      const decades = Math.log10(high / low);
      const marks = decades * 3 > wanted * 1.4 ? [1] : [1, 2, 5];
      const every = Math.max(1, Math.ceil(decades / (wanted * 1.6)));
      for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++)
        if (power % every === 0) for (const mark of marks) ticks.push(mark * 10 ** power);
      if (ends) {
        low = ticks.findLast((it) => it <= low * 1.0001 && low / it < 10.1) ?? low;
        high = ticks.find((it) => it >= high / 1.0001 && it / high < 10.1) ?? high;
      }
      ticks = ticks.filter((it) => it >= low / 1.0001 && it <= high * 1.0001);
    }
    if (!log || ticks.length < 2) {
      if (!log && axis.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
      if (high - low <= Math.max(Math.abs(low), Math.abs(high)) * 1e-9) {
        const air = Math.abs(high) * 0.1 || 1;
        [low, high] = axis.zero && low === 0 ? [0, 1] : [low - air, high + air];
      }
      const [divisor] = scaleOf(axis.unit, Math.max(Math.abs(low), Math.abs(high)));
      const step = niceStep((high - low) / divisor / wanted) * divisor;
      if (ends && !log) [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
      ticks = [];
      for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-6; n++) ticks.push(n * step || 0);
    }
    const [divisor, name] = scaleOf(axis.unit, Math.max(Math.abs(low), Math.abs(high)));
    const label = (value) => {
      if (log) return shown(value, axis.unit);
      const number = (value / divisor).toLocaleString("en-GB", { maximumSignificantDigits: 6 }).replace("-", "−");
      return ["%", "×"].includes(name) ? number + name : number;
    };
    const words = { s: "seconds", ms: "ms", µs: "µs", min: "minutes", h: "hours", "/s": "per second" }[name.trim()];
    const title = !words || log || axis.label.endsWith("per second") ? axis.label : axis.label ? `${axis.label} (${words})` : words;
    const share = (value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    let [start, end] = [0, 1];
    return {
      low, high, ticks, label, title,
      onto(a, b) { [start, end] = [a, b]; return this; },
      at: (value) => start + share(value) * (end - start),
      clamp: (value) => start + Math.max(0, Math.min(1, share(value))) * (end - start),
      can: (value) => finite(value) && (!log || value > 0),
      back(pixel) {
        const part = (pixel - start) / (end - start);
        return log ? low * (high / low) ** part : low + part * (high - low);
      },
    };
  }

  function extent(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) if (finite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return [low, high];
  }

  const pen = document.createElement("canvas").getContext("2d");

  /** How wide words are in a chart, in pixels. */
  function wide(words) {
    pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(words).width;
  }

  /** Words that fit into so many pixels, cut if need be. */
  function cut(words, room) {
    if (wide(words) <= room) return words;
    let kept = words;
    while (kept && wide(`${kept}…`) > room) kept = kept.slice(0, -1);
    return kept && `${kept}…`;
  }

  // ---- Looks ----

  const look = (series, place) => (series.faint ? "faint" : `s${place % COLOURS} d${place % DASHES}`);
  const fill = (series, place) => (series.faint ? "faint-fill" : `f${place % COLOURS}`);

  function sample(kind, series, place) {
    const svg = make("svg", { viewBox: "0 0 34 14", "aria-hidden": "true", focusable: "false" });
    if (kind === "strips") svg.append(make("rect", { class: `strip${place}`, width: 34, height: 14 }));
    else if (kind === "bars") svg.append(make("rect", { class: `f${place % COLOURS}`, width: 34, height: 14 }));
    else if (series.scatter) svg.append(make("circle", { class: fill(series, place), cx: 17, cy: 7, r: 4.5 }));
    else svg.append(make("path", { class: `curve ${look(series, place)}`, d: "M1 7H33" }));
    return svg;
  }

  // ---- Kinds: what to draw, where the cursor stops, what is read there ----

  /** Lines over a number, with bands or whiskers, or points alone. */
  function lines(data) {
    const all = data.series;
    const xs = [...new Set(all.flatMap((it) => it.x))].filter(finite).filter((it) => !data.x.log || it > 0).sort((a, b) => a - b);
    const looks = [];
    all.reduce((next, series) => (looks.push(series.faint ? 0 : next), next + (series.faint ? 0 : 1)), 0);
    let [low, high] = extent([...xs, ...(data.span || [])]);
    // Marks at the ends stand clear of the edge.
    if (data.marks && low < high) {
      const air = data.x.log ? (high / low) ** 0.03 : (high - low) * 0.03;
      [low, high] = data.x.log ? [low / air, high * air] : [low - air, high + air];
    }
    const indexAt = (series, x) => {
      let [from, to] = [0, series.x.length - 1];
      while (from < to) {
        const middle = (from + to) >> 1;
        if (series.x[middle] < x) from = middle + 1; else to = middle;
      }
      return from > 0 && x - series.x[from - 1] < series.x[from] - x ? from - 1 : from;
    };
    const value = (series, i) => {
      const text = shown(series.y[i], data.y.unit);
      return series.low ? text + between(series.low[i], series.high[i], data.y.unit) : text;
    };
    return {
      kind: "lines", x: data.x, domain: [low, high], shades: data.shades || [], stops: xs,
      series: all.map((it, i) => ({ name: it.name, sample: () => sample("lines", it, looks[i]) })),
      y(visible, from, to) {
        const values = [];
        for (const i of visible) {
          const it = all[i];
          it.x.forEach((x, k) => {
            if (x < from || x > to) return;
            for (const y of [it.y[k], it.low?.[k], it.high?.[k]]) if (finite(y) && (!data.y.log || y > 0)) values.push(y);
          });
        }
        return [data.y, ...extent(values)];
      },
      draw(g, visible, x, y) {
        const point = (a, b) => `${x.at(a).toFixed(1)} ${y.at(b).toFixed(1)}`;
        for (const i of visible) {
          const it = all[i];
          if (!it.low || data.marks) continue;
          let stretch = [];
          const close = () => {
            if (stretch.length > 1) {
              const back = [...stretch].reverse().map((k) => point(it.x[k], it.low[k]));
              const d = `M${[...stretch.map((k) => point(it.x[k], it.high[k])), ...back].join("L")}Z`;
              g.append(make("path", { class: `band ${fill(it, looks[i])}`, d }));
            }
            stretch = [];
          };
          it.x.forEach((_, k) => (y.can(it.low[k]) && y.can(it.high[k]) ? stretch.push(k) : close()));
          close();
        }
        for (const i of [...visible].sort((a, b) => (all[b].faint || 0) - (all[a].faint || 0))) {
          const it = all[i];
          let [d, pen] = ["", "M"];
          it.x.forEach((a, k) => {
            if (!y.can(it.y[k]) || !x.can(a)) { pen = "M"; return; }
            d += pen + point(a, it.y[k]);
            pen = "L";
          });
          if (!data.scatter) g.append(make("path", { class: `curve ${look(it, looks[i])}`, d, "data-series": it.name }));
          if (!data.marks) continue;
          it.x.forEach((a, k) => {
            if (!x.can(a)) return;
            if (it.y[k] === Infinity) {
              const [cx, top] = [x.at(a), y.at(y.high)];
              g.append(make("path", { class: fill(it, looks[i]), d: `M${cx - 6} ${top + 11}h12l-6 -10z` }));
            }
            if (!y.can(it.y[k])) return;
            if (it.low && y.can(it.low[k]) && y.can(it.high[k]) && it.low[k] < it.high[k]) {
              const [cx, a1, b1] = [x.at(a), y.at(it.low[k]), y.at(it.high[k])];
              g.append(make("path", { class: "whisker", d: `M${cx - 4} ${a1}h8M${cx} ${a1}V${b1}M${cx - 4} ${b1}h8` }));
            }
            g.append(make("circle", { class: fill(it, looks[i]), cx: x.at(a), cy: y.at(it.y[k]), r: 4, "data-series": it.name }));
          });
        }
      },
      read(stop, visible) {
        const at = xs[stop];
        const rows = [];
        for (const i of visible) {
          const it = all[i];
          if (!it.x.length) continue;
          const k = indexAt(it, at);
          // Distributions have places of their own; elsewhere a line without a value here has none.
          if (data.shades && it.x[k] !== at) continue;
          // Several points of a sample may stand at one place.
          for (let n = k; n < it.x.length && (n === k || (data.scatter && it.x[n] === at)); n++)
            rows.push({ i, text: value(it, n), note: it.notes?.[n], x: it.x[n], y: it.y[n] });
        }
        const faults = (data.shades || []).filter(([from, to]) => at >= from && at <= to).map((it) => it[2]);
        const title = `${data.x.label} ${shown(at, data.x.unit)}`;
        return { title: title + (faults.length ? `, during ${faults.join(", ")}` : ""), x: at, rows };
      },
      table() {
        const head = [data.x.label || "x", ...all.map((it) => it.name || data.y.label)];
        const rows = xs.map((x) => [
          shown(x, data.x.unit),
          ...all.map((it) => (it.x.length && it.x[indexAt(it, x)] === x ? value(it, indexAt(it, x)) : "–")),
        ]);
        return { head, rows };
      },
    };
  }

  /** Bars in groups, with whiskers. */
  function bars(data) {
    const names = [...new Set(data.groups.flatMap((group) => group.bars.map((bar) => bar[0])))];
    const value = (bar) =>
      bar[1] === Infinity ? data.infinite : shown(bar[1], data.y.unit) + between(bar[2], bar[3], data.y.unit);
    const stop = (i) => data.groups[i];
    return {
      kind: "bars", x: { label: data.x, unit: "plain", log: false }, domain: [-0.5, data.groups.length - 0.5], shades: [],
      groups: data.groups.map((it) => it.name), stops: data.groups.map((_, i) => i),
      series: names.map((name, i) => ({ name, sample: () => sample("bars", {}, i) })),
      y(visible, from, to) {
        const inside = data.groups.filter((_, i) => i > from - 0.5 && i < to + 0.5);
        const shownBars = inside.flatMap((group) => group.bars.filter((bar) => visible.includes(names.indexOf(bar[0]))));
        const [low, high] = extent(shownBars.flatMap((bar) => [bar[1], bar[2], bar[3]]));
        return [{ ...data.y, zero: true }, data.y.log ? low : Math.min(low, 0), high];
      },
      draw(g, visible, x, y) {
        const slot = Math.abs(x.at(1) - x.at(0)) * 0.76, most = Math.max(...data.groups.map((group) => group.bars.length));
        const numbered = Math.min(84, slot / most) >= 46;
        data.groups.forEach((group, i) => {
          const present = group.bars.filter((bar) => visible.includes(names.indexOf(bar[0])) && isNumber(bar[1]));
          const step = Math.min(84, (Math.abs(x.at(i + 1) - x.at(i)) * 0.76) / Math.max(1, present.length));
          present.forEach((bar, k) => {
            const left = x.at(i) + (k - present.length / 2) * step + step * 0.05;
            const foot = y.clamp(data.y.log ? y.low : 0), at = names.indexOf(bar[0]) % COLOURS, width = Math.max(1, step * 0.9);
            if (bar[1] === Infinity) {
              const top = y.at(y.high);
              g.append(make("rect", { class: `endless f${at} s${at}`, x: left, y: top, width, height: foot - top }));
              g.append(make("text", { x: left + width / 2, y: top + 16, "text-anchor": "middle" }, data.infinite));
              return;
            }
            const head = y.clamp(bar[1]);
            g.append(make("rect", { class: `f${at}`, x: left, y: Math.min(head, foot), width, height: Math.abs(foot - head), "data-series": bar[0] }));
            const cx = left + width / 2;
            let over = Math.min(head, foot);
            if (finite(bar[2]) && finite(bar[3]) && bar[2] < bar[3]) {
              const [a, b] = [y.clamp(bar[2]), y.clamp(bar[3])];
              g.append(make("path", { class: "whisker", d: `M${cx - 5} ${a}h10M${cx} ${a}V${b}M${cx - 5} ${b}h10` }));
              over = Math.min(over, b);
            }
            const words = shown(bar[1], data.y.unit);
            if (numbered) g.append(make("text", { x: cx, y: over - 5, "text-anchor": "middle" }, words));
          });
        });
      },
      read(i, visible) {
        const rows = stop(i).bars.filter((bar) => visible.includes(names.indexOf(bar[0])));
        return { title: stop(i).name, x: i, rows: rows.map((bar) => ({ i: names.indexOf(bar[0]), text: value(bar) })) };
      },
      table: () => ({
        head: [data.x || "", ...names],
        rows: data.groups.map((group) => [group.name, ...names.map((name) => {
          const bar = group.bars.find((it) => it[0] === name);
          return bar ? value(bar) : "–";
        })]),
      }),
    };
  }

  /** States over time, a strip each. */
  function strips(data) {
    const all = data.rows.flatMap((row) => row.spans);
    const [low, high] = extent(all.flatMap((span) => [span[0], span[1]]));
    const stops = [...new Set(all.map((span) => span[0]))].sort((a, b) => a - b);
    const state = (row, at) => row.spans.find((span) => at >= span[0] && at < span[1])?.[2];
    return {
      kind: "strips", x: data.x, domain: [low, high], shades: data.shades, stops, rows: data.rows.map((row) => row.name), onPoint: true,
      keys: data.states.map((name, i) => ({ name, sample: () => sample("strips", {}, i) })),
      series: data.rows.map((row) => ({ name: row.name, fixed: true, sample: () => null })),
      y: () => [{ unit: "plain", label: "" }, 0, 1],
      draw(g, visible, x, y, plot) {
        data.rows.forEach((row, i) => {
          for (const wanted of [0, 2, 1])
            for (const [from, to, at] of row.spans.filter((span) => span[2] === wanted)) {
              const left = x.clamp(from), width = Math.max(x.clamp(to) - left, at === 0 ? 0 : 1);
              g.append(make("rect", { class: `strip${at}`, x: left, y: plot.rowTop(i), width, height: 22 }));
            }
        });
      },
      read(stop, visible, exact) {
        const at = exact ?? stops[stop];
        const faults = data.shades.filter(([from, to]) => at >= from && at <= to).map((it) => it[2]);
        const rows = visible.map((i) => ({ i, text: data.states[state(data.rows[i], at)] ?? "–" }));
        return { title: `${data.x.label} ${shown(at, "seconds")}${faults.length ? `, during ${faults.join(", ")}` : ""}`, x: at, rows };
      },
      table: () => ({
        head: ["Of", "from", "to", "state"],
        rows: data.rows.flatMap((row) => row.spans.map(([a, b, it]) => [row.name, shown(a, "seconds"), shown(b, "seconds"), data.states[it]])),
      }),
    };
  }

  // ---- A table of anything ----

  function table(caption, head, rows) {
    const more = rows.length - MOST_ROWS;
    const line = (row) => make("tr", {}, ...row.map((cell, i) => make(i ? "td" : "th", i ? { class: "number" } : { scope: "row" }, cell)));
    const words = more > 0 ? `${caption}. The first ${MOST_ROWS} of ${rows.length} rows` : caption;
    return make("table", {},
      make("caption", {}, words),
      make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...rows.slice(0, MOST_ROWS).map(line)));
  }

  // ---- A plot: what all kinds have in common ----

  let plots = 0;

  /** Puts a chart to look into at the end of a figure. */
  function plot(figure, kind, title) {
    const number = ++plots;
    const hidden = new Set();
    let view = [...kind.domain], cursor = null, exact = null, only = null, drag = null;
    let x, y, frame, bottom;

    const visible = () => kind.series.map((_, i) => i).filter((i) => !hidden.has(i));
    const live = make("p", { class: "aside", "aria-live": "polite" });
    const tip = make("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    const canvas = make("svg", { "aria-hidden": "true", focusable: "false" });
    const area = make("div", {
      class: "plot", tabindex: "0", role: "application", "aria-roledescription": "chart", "aria-label": title, "aria-describedby": `plot-${number}-help`,
    }, canvas, tip);
    const above = make("p", { class: "soft above" });
    const help = make("p", { class: "aside", id: `plot-${number}-help` },
      "Left and right arrow keys read values, with Shift ten at a time. Up and down choose one line. Plus and minus zoom, Escape shows everything.");
    const reset = make("button", { type: "button", class: "reset", disabled: true, onclick: () => zoom(kind.domain) }, "Reset zoom");
    const [wider, nearer] = [["Zoom out", "−", 2], ["Zoom in", "+", 0.5]].map(([name, sign, factor]) =>
      make("button", { type: "button", "aria-label": name, title: name, onclick: () => closer(factor) }, sign));
    const shelf = make("div", { class: "wide figure-table", hidden: true, tabindex: "0", role: "region", "aria-label": `Values of ${title}`, id: `plot-${number}-table` });
    const asTable = make("button", { type: "button", class: "as-table", "aria-expanded": "false", "aria-controls": shelf.id, onclick() {
      if (!shelf.firstChild) { const { head, rows } = kind.table(); shelf.append(table(title, head, rows)); }
      shelf.hidden = !shelf.hidden;
      asTable.setAttribute("aria-expanded", String(!shelf.hidden));
      asTable.textContent = shelf.hidden ? "Show as table" : "Hide the table";
    } }, "Show as table");

    const legend = make("ul", { class: "legend", "aria-label": `Legend of ${title}` });
    for (const key of kind.keys || []) legend.append(make("li", { class: "key" }, key.sample(), key.name));
    const many = kind.series.filter((it) => !it.fixed && it.name).length;
    kind.series.forEach((series, i) => {
      if (series.fixed || !series.name) return;
      if (many === 1) { legend.append(make("li", { class: "key" }, series.sample(), series.name)); return; }
      const button = make("button", { type: "button", "aria-pressed": "true", onclick() {
        hidden.has(i) ? hidden.delete(i) : hidden.add(i);
        if (only === i) only = null;
        button.setAttribute("aria-pressed", String(!hidden.has(i)));
        draw();
      } }, series.sample(), series.name);
      legend.append(make("li", {}, button));
    });

    function draw() {
      const width = Math.max(260, area.clientWidth || 640);
      const narrow = width < 520;
      const [yAxis, low, high] = kind.y(visible(), view[0], view[1]);
      y = scale(yAxis, low, high, narrow ? 4 : 5, true);
      const labels = kind.rows ? [] : y.ticks.map((tick) => y.label(tick));
      const longest = Math.max(4, ...(kind.rows ? (narrow ? [] : kind.rows) : labels).map(wide));
      const left = Math.min(width * 0.4, longest + 12), right = width - 14;
      x = scale({ ...kind.x, zero: false }, view[0], view[1], narrow ? 4 : 7, false).onto(left, right);

      // Labels of faults in as few rows as they need, at most three; names of groups on as many lines as they need; of very many, some.
      const free = [];
      let before = null;
      const shades = kind.shades.filter(([from, to]) => to >= x.low && from <= x.high).map(([from, to, label]) => {
        const [a, b] = [x.clamp(Math.max(from, x.low)), x.clamp(Math.min(to, x.high))];
        const at = Math.max(left, Math.min(a, right - wide(label)));
        let row = free.findIndex((it) => it <= at);
        // What comes again and again is told once, unless there is room.
        if (row < 0) row = free.length < 3 && label !== before ? free.length : null;
        if (row !== null) free[row] = at + wide(label) + 12;
        before = label;
        return { a, b, at, row, label };
      });
      const slot = (width - 70) / (view[1] - view[0]);
      const every = Math.max(1, Math.ceil(36 / slot));
      const groupNames = (kind.groups || []).map((name, i) => (i % every ? [] : wrapped(name, slot * every - 8, 3)));
      const lineCount = Math.max(1, ...groupNames.map((it) => it.length));

      const top = (kind.groups ? 22 : 10) + free.length * 17;
      const rows = kind.rows ? kind.rows.length : 0;
      const height = (rows ? rows * (narrow ? 48 : 34) + 52 : narrow ? 270 : 330) + top;
      bottom = height - 46 - (lineCount - 1) * 15;
      y.onto(bottom, top);
      frame = { left, right, top };
      canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
      canvas.setAttribute("height", height);
      const clip = `plot-${number}-clip`;
      const back = make("g"), inside = make("g", { "clip-path": `url(#${clip})` }), front = make("g", { class: "front" });
      canvas.replaceChildren(make("clipPath", { id: clip }, make("rect", { x: left - 1, y: top - 20, width: right - left + 2, height: bottom - top + 21 })), back, inside, front);

      for (const { a, b, at, row, label } of shades) {
        back.append(make("rect", { class: "fault", x: a, y: top, width: Math.max(1, b - a), height: bottom - top }));
        if (row === null) continue;
        const level = top - 5 - (free.length - 1 - row) * 17;
        if (row < free.length - 1) back.append(make("line", { class: "grid", x1: a + 0.5, x2: a + 0.5, y1: level + 3, y2: top }));
        back.append(make("text", { class: "soft", x: at, y: level }, label));
      }
      if (kind.rows) {
        const step = narrow ? 48 : 34;
        frame.rowTop = (i) => top + i * step + (narrow ? 22 : 6);
        kind.rows.forEach((name, i) => {
          const at = narrow ? { x: left, y: frame.rowTop(i) - 5 } : { x: left - 8, y: frame.rowTop(i) + 16, "text-anchor": "end" };
          back.append(make("text", at, cut(name, narrow ? right - left : left - 8)));
        });
      } else {
        above.textContent = y.title;
        y.ticks.forEach((tick, i) => {
          const level = Math.round(y.at(tick)) + 0.5;
          back.append(make("line", { class: "grid", x1: left, x2: right, y1: level, y2: level }));
          back.append(make("text", { x: left - 8, y: level + 4, "text-anchor": "end" }, labels[i]));
        });
      }
      front.append(make("path", { class: "axis", d: `M${left} ${bottom + 0.5}H${right}` }));
      if (kind.groups) {
        groupNames.forEach((lines, i) => {
          if (i < x.low || i > x.high) return;
          lines.forEach((words, row) => front.append(make("text", { x: x.at(i), y: bottom + 18 + row * 15, "text-anchor": "middle" }, words)));
        });
      } else {
        let edge = -Infinity;
        for (const tick of x.ticks) {
          const at = x.at(tick), words = x.label(tick), half = wide(words) / 2;
          const middle = Math.min(at, width - half);
          front.append(make("path", { class: "axis", d: `M${at} ${bottom}v5` }));
          if (middle - half > edge) { front.append(make("text", { x: middle, y: bottom + 19, "text-anchor": "middle" }, words)); edge = middle + half + 6; }
        }
      }
      const name = kind.groups ? kind.x.label : x.title;
      front.append(make("text", { class: "soft", x: (left + right) / 2, y: bottom + 38 + (lineCount - 1) * 15, "text-anchor": "middle" }, name));
      kind.draw(inside, visible(), x, y, frame);
      if (!kind.stops.length || !visible().length)
        front.append(make("text", { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" }, "no data"));
      mark();
    }

    /** Shows what is read where the cursor is. */
    function mark(say) {
      canvas.querySelector(".marks")?.remove();
      tip.hidden = cursor === null || !kind.stops.length;
      if (tip.hidden) { live.textContent = ""; return; }
      const chosen = only === null ? visible() : [only];
      const it = kind.read(cursor, chosen, exact);
      const at = x.at(it.x);
      const marks = make("g", { class: "marks" });
      if (at >= frame.left - 1 && at <= frame.right + 1) marks.append(make("line", { class: "cursor", x1: at, x2: at, y1: frame.top, y2: bottom }));
      canvas.append(marks);
      const rows = it.rows.slice(0, 14);
      for (const row of it.rows) {
        if (row.y === undefined || !y.can(row.y) || row.x < x.low || row.x > x.high) continue;
        marks.append(make("circle", { class: "whisker", cx: x.at(row.x), cy: y.clamp(row.y), r: 5 }));
      }
      const names = kind.series.length > 1 || kind.series[0]?.name;
      tip.replaceChildren(make("strong", {}, it.title), ...rows.map((row) => make("div", { class: "row" },
        kind.series[row.i].sample(), names ? make("span", {}, row.note ?? kind.series[row.i].name) : null, make("span", { class: "value" }, row.text))));
      if (it.rows.length > rows.length) tip.append(make("div", {}, `and ${it.rows.length - rows.length} more`));
      if (!it.rows.length) tip.append(make("div", {}, "no value here"));
      const width = tip.offsetWidth, whole = area.clientWidth;
      tip.style.left = `${Math.max(0, Math.min(whole - width, at + 14 + width > whole ? at - width - 14 : at + 14))}px`;
      tip.style.top = `${frame.top + 4}px`;
      if (say) {
        const told = it.rows.slice(0, 6).map((row) => `${row.note ?? kind.series[row.i].name} ${row.text}`).join("; ");
        live.textContent = `${it.title}: ${told || "no value"}${it.rows.length > 6 ? `; and ${it.rows.length - 6} more` : ""}`;
      }
    }

    function zoom([from, to]) {
      view = [Math.max(from, kind.domain[0]), Math.min(to, kind.domain[1])];
      reset.disabled = view[0] <= kind.domain[0] && view[1] >= kind.domain[1];
      draw();
    }

    /** Zooms around the cursor, or the middle. */
    function closer(factor) {
      const [a, b] = [x.at(view[0]), x.at(view[1])];
      const at = cursor === null ? (a + b) / 2 : Math.max(a, Math.min(b, x.at(kind.stops[cursor])));
      zoom([x.back(at - (at - a) * factor), x.back(at + (b - at) * factor)]);
    }

    function nearest(pixel) {
      let best = null;
      kind.stops.forEach((stop, i) => {
        const away = Math.abs(x.at(stop) - pixel);
        if (stop >= x.low && stop <= x.high && (best === null || away < best[1])) best = [i, away];
      });
      return best && best[0];
    }

    const place = (event) => event.clientX - area.getBoundingClientRect().left;
    area.addEventListener("pointermove", (event) => {
      const at = Math.max(frame.left, Math.min(frame.right, place(event)));
      if (drag !== null && event.pointerType !== "touch") {
        canvas.querySelector(".drag")?.remove();
        canvas.append(make("rect", { class: "drag", x: Math.min(at, drag), y: frame.top, width: Math.abs(at - drag), height: bottom - frame.top }));
      }
      exact = kind.onPoint ? x.back(at) : null;
      cursor = nearest(at);
      only = null;
      mark();
    });
    area.addEventListener("pointerdown", (event) => {
      if (event.button === 0) { drag = Math.max(frame.left, Math.min(frame.right, place(event))); if (event.pointerType !== "touch") area.setPointerCapture(event.pointerId); }
    });
    area.addEventListener("pointerup", (event) => {
      const at = Math.max(frame.left, Math.min(frame.right, place(event))), from = drag;
      drag = null;
      canvas.querySelector(".drag")?.remove();
      if (from !== null && event.pointerType !== "touch" && Math.abs(at - from) > 6) zoom([x.back(Math.min(at, from)), x.back(Math.max(at, from))]);
    });
    area.addEventListener("pointercancel", () => { drag = null; canvas.querySelector(".drag")?.remove(); });
    area.addEventListener("pointerleave", () => { if (drag === null) { cursor = exact = null; mark(); } });
    area.addEventListener("dblclick", () => zoom(kind.domain));
    area.addEventListener("blur", () => { cursor = exact = only = null; mark(); });
    area.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const last = kind.stops.length - 1, step = event.shiftKey ? 10 : 1;
      const first = kind.stops.findIndex((stop) => stop >= x.low && stop <= x.high);
      const move = (to) => { exact = null; cursor = Math.max(0, Math.min(last, to)); };
      const shownSeries = visible();
      switch (event.key) {
        case "ArrowRight": move(cursor === null ? Math.max(0, first) : cursor + step); break;
        case "ArrowLeft": move(cursor === null ? Math.max(0, first) : cursor - step); break;
        case "Home": move(0); break;
        case "End": move(last); break;
        case "ArrowDown": case "ArrowUp": {
          // One line after the other, and all again behind the last.
          const ring = [null, ...shownSeries];
          only = ring.at((ring.indexOf(only) + (event.key === "ArrowDown" ? 1 : -1)) % ring.length);
          if (cursor === null) move(Math.max(0, first));
          break;
        }
        case "+": case "=": closer(0.5); break;
        case "-": closer(2); break;
        case "Escape": cursor = exact = only = null; zoom(kind.domain); break;
        default: return;
      }
      event.preventDefault();
      if (cursor !== null && (kind.stops[cursor] < x.low || kind.stops[cursor] > x.high)) {
        const half = (view[1] - view[0]) / 2, at = kind.stops[cursor];
        zoom([at - half, at + half]);
      }
      mark(true);
    });

    figure.append(legend, above, area, help, live, make("div", { class: "tools" }, nearer, wider, reset, asTable), shelf);
    let drawn = 0;
    new ResizeObserver(() => {
      if (area.clientWidth === drawn) return;
      drawn = area.clientWidth;
      draw();
    }).observe(area);
    draw();
  }

  const KINDS = { lines, bars, strips };

  function charts() {
    for (const figure of document.querySelectorAll("figure.chart")) {
      const data = document.getElementById(`${figure.id}-data`);
      if (!data) continue;
      const content = JSON.parse(data.textContent);
      if (!KINDS[content.kind]) continue;
      plot(figure, KINDS[content.kind](content), figure.querySelector("h3").textContent);
      figure.classList.add("alive");
    }
  }

  // ---- The figures to explore ----

  function explorer() {
    const host = document.getElementById("explorer");
    if (!host) return;
    const data = read("figures-data");
    const { axes, points, windows } = data;
    const metrics = new Map(data.metrics.map((it) => [it.name, it]));
    const grid = axes.map((axis, i) => i).filter((i) => !axes[i].drawn && axes[i].labels.length > 1);
    const drawn = axes.map((axis, i) => i).filter((i) => axes[i].drawn);
    const WINDOW = "window";

    const choices = make("div", { class: "choices" });
    const result = make("div");
    const pickers = {};
    function picker(key, label) {
      const select = make("select", { id: `choose-${key}`, onchange: () => update(key) });
      pickers[key] = select;
      choices.append(make("div", {}, make("label", { for: select.id }, label), select));
    }
    picker("metric", "Metric");
    picker("entity", "Of");
    picker("x", "Along");
    picker("by", "A line for each");
    picker("window", "Window");
    for (const i of grid) picker(`axis${i}`, axes[i].name);

    function offer(key, options, wanted) {
      const select = pickers[key], before = wanted ?? select.value;
      select.replaceChildren(...options.map(([value, name]) => make("option", { value }, name)));
      if (options.some(([value]) => value === before)) select.value = before;
      select.parentElement.hidden = options.length < 2;
    }
    const known = new Set(data.figures.flatMap((it) => Object.keys(it.of)));
    const [startMetric, startEntity] = data.start || [];
    offer("metric", data.metrics.filter((it) => known.has(it.name)).map((it) => [it.name, it.name]), startMetric);
    offer("window", windows.map((it, i) => [String(i), it]));
    const alongs = [...(drawn.length ? drawn : grid).map((i) => [String(i), axes[i].name]), ...(drawn.length ? [] : [[WINDOW, "window"]])];
    const longest = [...grid].sort((a, b) => Number(Boolean(axes[b].numbers)) - Number(Boolean(axes[a].numbers)) || axes[b].labels.length - axes[a].labels.length)[0];
    offer("x", alongs, drawn.length ? String(drawn[0]) : longest === undefined ? WINDOW : String(longest));
    for (const i of grid) offer(`axis${i}`, axes[i].labels.map((label, k) => [String(k), label]));

    const bys = () => [["", "nothing"], ...grid.filter((i) => String(i) !== pickers.x.value).map((i) => [String(i), axes[i].name])];
    offer("by", bys(), grid.filter((i) => String(i) !== pickers.x.value).map(String)[0] ?? "");

    function update(changed) {
      const metric = pickers.metric.value;
      if (changed === undefined || changed === "metric")
        offer("entity", data.figures.filter((it) => it.of[metric]).map((it) => [it.entity, it.entity]), changed ? undefined : startEntity);
      if (changed === "x") offer("by", bys(), pickers.by.value || bys().at(1)?.[0]);
      const [along, by] = [pickers.x.value, pickers.by.value];
      for (const i of grid) pickers[`axis${i}`].parentElement.hidden = String(i) === along || String(i) === by;
      pickers.window.parentElement.hidden = along === WINDOW || windows.length < 2;
      show(metric, pickers.entity.value, along, by);
    }

    function show(metric, entity, along, by) {
      const about = metrics.get(metric);
      const packed = data.figures.find((it) => it.entity === entity)?.of[metric] ?? [];
      const figure = (window, point) => {
        const values = packed[window];
        if (values === 0) return [0, null];
        return values ? [values[2 * point], values[2 * point + 1]] : [null, null];
      };
      const fixed = grid.filter((i) => String(i) !== along && String(i) !== by);
      const chosen = points.map((_, i) => i).filter((p) => fixed.every((i) => points[p][i] === Number(pickers[`axis${i}`].value)));
      const label = (axis, p) => axes[axis].labels[points[p][axis]];
      const seriesOf = (p) => (by === "" ? "" : `${axes[by].name === "variant" ? "" : `${axes[by].name} `}${label(by, p)}`);
      const most = about.unit === "share" ? 1 : Infinity;
      const ends = ([mean, half]) => (finite(half) && finite(mean) ? [Math.max(0, mean - half), Math.min(most, mean + half)] : [null, null]);
      const y = { label: about.meaning.split(/[.;:]/)[0].toLowerCase(), unit: about.unit, log: false, zero: true };
      const window = Number(pickers.window.value);
      const rows = [];
      let kind;

      if (along !== WINDOW && axes[along].numbers) {
        const axis = axes[along];
        const series = new Map();
        for (const p of chosen) {
          const name = seriesOf(p), values = figure(window, p);
          if (!series.has(name)) series.set(name, []);
          series.get(name).push([axis.numbers[points[p][along]], p, values]);
          if (isNumber(values[0])) rows.push([p, window, values]);
        }
        const scatter = drawn.length > 0;
        const all = [...series].map(([name, list]) => {
          list.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
          // A point of a sample is told by its other values.
          const others = axes.map((_, i) => i).filter((i) => String(i) !== along && axes[i].drawn);
          const notes = scatter && others.length ? list.map((it) => others.map((i) => `${axes[i].name} ${label(i, it[1])}`).join(", ")) : null;
          return { name: name || entity, scatter, notes, x: list.map((it) => it[0]), y: list.map((it) => it[2][0]),
            low: list.map((it) => ends(it[2])[0]), high: list.map((it) => ends(it[2])[1]) };
        });
        const [low, high] = extent(axis.numbers);
        const log = low > 0 && high / low >= 20 && axis.numbers.length > 2;
        kind = lines({ series: all, marks: true, scatter, shades: [], x: { label: axis.name, unit: axis.unit, log }, y });
      } else {
        const groups = new Map();
        const places = along === WINDOW ? windows.map((_, i) => i) : [window];
        for (const at of places) for (const p of chosen) {
          const values = figure(at, p);
          if (!isNumber(values[0])) continue;
          const name = along === WINDOW ? windows[at] : label(along, p);
          if (!groups.has(name)) groups.set(name, []);
          groups.get(name).push([seriesOf(p) || entity, values[0], ...ends(values)]);
          rows.push([p, at, values]);
        }
        const list = [...groups].map(([name, bars]) => ({ name, bars }));
        kind = bars({ groups: list, x: along === WINDOW ? "window" : axes[along].name, y, infinite: "∞" });
      }

      const words = `${metric} of ${entity}${along === WINDOW ? "" : `, window ${windows[window]}`}` +
        fixed.map((i) => `, ${axes[i].name} ${label(i, chosen[0] ?? 0)}`).join("");
      const wide = make("div", { class: "wide figure-table", tabindex: "0", role: "region", "aria-label": `Table of ${words}` });
      const head = [...(axes.length ? axes.map((it) => it.name) : []), "window", "runs", "mean ± half of the 95 % interval"];
      wide.append(table(words, head, rows.map(([p, at, values]) =>
        [...axes.map((_, i) => label(i, p)), windows[at], String(data.seeds[p]), withInterval(values[0], values[1], about.unit)])));
      const box = make("figure", { class: "alive", "aria-label": words }, make("h3", {}, words), make("p", { class: "soft" }, `${about.meaning}.`));
      result.replaceChildren(box, wide);
      plot(box, kind, words);
      box.querySelector(".as-table").remove();
    }

    host.append(make("h3", {}, "Explore"), choices, result);
    host.hidden = false;
    update();
  }

  // ---- Copying ----

  function copying() {
    for (const button of document.querySelectorAll("button.copy")) {
      const words = button.textContent;
      const said = make("span", { class: "aside", role: "status" });
      button.after(said);
      button.hidden = false;
      button.addEventListener("click", async () => {
        const code = button.parentElement.querySelector("code");
        let done = true;
        try {
          await navigator.clipboard.writeText(code.textContent);
        } catch {
          // Without the clipboard, as in some browsers for files: what is selected can be copied.
          getSelection().selectAllChildren(code);
          done = document.execCommand("copy");
        }
        button.textContent = said.textContent = done ? "Copied" : "Selected: press Ctrl+C";
        setTimeout(() => { button.textContent = words; said.textContent = ""; }, 2000);
      });
    }
  }

  /** On paper everything is open. */
  function printing() {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const it of opened) it.open = true;
    });
    addEventListener("afterprint", () => { for (const it of opened) it.open = false; });
  }

  document.documentElement.classList.add("js");
  charts();
  explorer();
  copying();
  printing();
})();
