// What all cards share. It stands before each card's own script, in one module: a notebook that is
// opened elsewhere has no server to load a second file from.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  ok: "M4 12.5l5 5L20 6.5",
  busy: "M12 3a9 9 0 1 0 9 9",
  warn: "M12 3L2 21h20L12 3zm0 6v6m0 3v.5",
  fail: "M6 6l12 12M18 6L6 18",
  none: "M5 12h14",
};

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `autonoe-icon autonoe-icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function chooseLanguage(model) {
  const catalogues = model.get("messages");
  const wanted = [model.get("language"), document.documentElement.lang, navigator.language, "en"];
  const code = wanted.map((tag) => (tag || "").slice(0, 2)).find((tag) => catalogues[tag]) || "en";
  const texts = { ...catalogues.en, ...catalogues[code] };
  const t = (key, values) =>
    (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values?.[name] ?? ""));
  return { code, t };
}

// Backticks in our own hints mark what can be typed; the pieces are still set as text.
function withCode(text) {
  return text.split("`").map((piece, index) => (index % 2 ? h("code", {}, piece) : piece));
}

