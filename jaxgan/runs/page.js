"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);

// Dark and light

const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
find("theme").onclick = () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  root.dataset.theme = isDark ? "light" : "dark";
  draw();
};
dark.onchange = () => draw();

// Pictures with a slider

function start(player) {
  const images = [...player.querySelectorAll("img")];
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  const label = player.querySelector("output");
  const looping = "looping" in player.dataset;
  let timer = 0;
  const show = (number) => {
    images.forEach((image, n) => { image.hidden = n !== number; });
    slider.value = number;
    label.textContent = images[number].alt;
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "▶";
    button.ariaLabel = "play";
  };
  const next = () => {
    const number = Number(slider.value) + 1;
    if (!player.isConnected || (number === images.length && !looping)) return stop();
    show(number % images.length);
  };
  const play = () => {
    if (Number(slider.value) === images.length - 1) show(0);
    timer = setInterval(next, looping ? 100 : 400);
    button.textContent = "❚❚";
    button.ariaLabel = "pause";
  };
  slider.oninput = () => { stop(); show(Number(slider.value)); };
  button.onclick = () => (timer ? stop() : play());
  player.onclick = (event) => { if (event.target.tagName === "IMG") slider.focus(); };
  player.show = show;
  if (looping && !matchMedia("(prefers-reduced-motion: reduce)").matches) play();
}

// Curves

const COLOURS = [
  "#4c8bf5", "#f28e2b", "#2ca58d", "#e15759", "#a678de", "#b58900", "#17a2c4", "#9c755f",
];
const smoothing = find("smoothing");
const log = find("log");
const touched = matchMedia("(pointer: coarse)").matches;
const plots = new Map(); // By section and title.
let range = null; // Of steps, in all figures; null: all of them.

// Plotly reads some HTML in names.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function smoothed(values, weight) {
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + value;
    total = weight * total + 1;
    return sum / total;
  });
}

function traces(curves) {
  const weight = Number(smoothing.value);
  const steps = curves.flatMap((curve) => curve.x);
  const ends = [Math.min(...steps), Math.max(...steps)];
  return curves.flatMap((curve, number) => {
    const color = COLOURS[number % COLOURS.length];
    const few = curve.x.length < 40 ? "lines+markers" : "lines";
    const common = {
      type: "scatter", mode: few, name: plain(curve.name), legendgroup: String(number),
      line: { color, width: 1.5 }, marker: { color, size: 5 }, showlegend: false,
    };
    // The faint line is there unsmoothed too: an empty one would not be hidden with the other.
    const lines = [
      { ...common, x: curve.x, y: curve.y, opacity: 0.3, hoverinfo: "skip" },
      { ...common, x: curve.x, y: smoothed(curve.y, weight), showlegend: true },
    ];
    if (curve.best) {
      lines.push({
        ...common, x: [curve.best[0]], y: [curve.best[1]], mode: "markers",
        name: `best of ${common.name}`, marker: { color, size: 13, symbol: "star" },
      });
    }
    if ("real" in curve) {
      lines.push({
        ...common, x: ends, y: [curve.real, curve.real], mode: "lines",
        legendgroup: `real ${number}`, name: `${common.name} of real data`,
        line: { color, width: 1, dash: "dash" },
        showlegend: true,
      });
    }
    return lines.map((line, n) => ({ ...line, uid: `${number}-${n}` }));
  });
}

function layout() {
  const axis = { gridcolor: "rgba(128,128,128,.25)", zerolinecolor: "rgba(128,128,128,.5)" };
  return {
    margin: { l: 50, r: 8, t: 8, b: 30 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: getComputedStyle(document.body).color, size: 12 },
    legend: { orientation: "h", y: -0.12, yanchor: "top" },
    hovermode: "x",
    hoverlabel: { namelength: -1 },
    dragmode: touched ? false : "zoom", // A finger scrolls the page.
    uirevision: "kept",
    xaxis: { ...axis, uirevision: String(range), ...(range ? { range } : { autorange: true }) },
    yaxis: { ...axis, uirevision: String(log.checked), type: log.checked ? "log" : "linear" },
  };
}

const CONFIG = {
  responsive: true,
  displaylogo: false,
  doubleClick: "autosize",
  // By name, so that no version brings back the one that shares a chart on Plotly's servers.
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]],
  plotlyServerURL: "",
};

function zoomed(event) {
  if ("xaxis.range[0]" in event) range = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  else if (event["xaxis.autorange"]) range = null;
  else return;
  draw();
}

function plotOf(section, title) {
  const key = `${section}/${title}`;
  if (!plots.has(key)) {
    const figure = document.createElement("div");
    figure.className = "figure";
    const heading = document.createElement("h3");
    heading.textContent = title;
    const plot = document.createElement("div");
    plot.className = "plot";
    figure.append(heading, plot);
    const [, nothing, figures] = find(section).children;
    nothing.textContent = touched
      ? "Tap a name to hide its line."
      : "Drag to zoom, double-click to zoom out, click a name to hide its line.";
    figures.className = "figures";
    figures.append(figure);
    plots.set(key, plot);
  }
  return plots.get(key);
}

async function draw() {
  if (!data.figures.length) return;
  if (!window.Plotly) {
    const script = document.createElement("script");
    script.textContent = find("plotly").textContent;
    document.head.append(script);
  }
  for (const { section, title, curves } of data.figures) {
    const plot = plotOf(section, title);
    const isNew = !plot.on;
    await Plotly.react(plot, traces(curves), layout(), CONFIG);
    if (isNew) plot.on("plotly_relayout", zoomed);
  }
}

smoothing.oninput = draw;
log.oninput = draw;

// What is new, where the page is served

const html = {}; // Of the sections, as they came.
for (const section of document.querySelectorAll("section")) html[section.id] = section.innerHTML;

function update(section, text) {
  const fresh = document.createElement("template");
  fresh.innerHTML = text;
  if (html[section.id] === fresh.innerHTML) return;
  html[section.id] = fresh.innerHTML;
  const slider = section.querySelector(".player input");
  const kept = slider && slider.value !== slider.max ? Number(slider.value) : null;
  section.replaceChildren(fresh.content);
  for (const player of section.querySelectorAll(".player")) {
    start(player);
    if (kept !== null) player.show(kept);
  }
}

async function poll() {
  const live = find("live");
  try {
    const answer = await fetch(`data?since=${data.state}`);
    if (answer.status === 200) {
      const { sections, ...rest } = await answer.json();
      Object.assign(data, rest);
      for (const [id, text] of Object.entries(sections)) update(find(id), text);
      draw();
    }
    live.textContent = answer.ok ? "live" : await answer.text();
  } catch {
    live.textContent = "jaxgan watch has ended";
  }
  setTimeout(poll, 1000);
}

document.querySelectorAll(".player").forEach(start);
requestAnimationFrame(() => setTimeout(draw)); // Text and pictures first: Plotly is large.
if (data.state) poll();
