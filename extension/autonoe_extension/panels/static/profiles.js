// The profiles card. Everything that comes from a catalogue is set as text, never as markup;
// pictures are shown as images, where scripts do not run.

const UNITS = ["cpu", "memory_gib", "gpu"];

function number(value, code, digits = 1) {
  return value.toLocaleString(code, { maximumFractionDigits: digits });
}

function address() {
  const data = document.getElementById("jupyter-config-data");
  try {
    const base = JSON.parse(data.textContent).baseUrl;
    return new URL(`${base.replace(/\/?$/, "/")}autonoe/profile`, document.location.origin).href;
  } catch {
    return null;
  }
}

async function fetchView(signal) {
  const url = address();
  if (url === null) return null;
  const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  try {
    const answer = await fetch(url, { signal, headers: xsrf ? { "X-XSRFToken": xsrf } : {} });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function facts(running, usage, code, t) {
  const rows = [];
  const row = (name, ...value) => rows.push(h("dt", {}, t(`profiles.fact.${name}`)), h("dd", {}, ...value));
  row("profile", running.title || running.profile || t("profiles.none"));
  const { cpu, memory_bytes: memory } = running.limits;
  if (cpu) row("cpu", t("profiles.cores", { n: number(cpu, code) }));
  const used = usage ? number(usage.memory_bytes / 2 ** 30, code) : null;
  if (memory && used) row("memory", t("profiles.memory_of", { used, total: number(memory / 2 ** 30, code) }));
  else if (used) row("memory", t("profiles.memory", { used }));
  if (running.repository) row("repository", h("code", {}, running.repository), running.branch ? ` (${running.branch})` : "");
  if (!running.persistent_home) row("home", t("profiles.home_temporary"));
  if (!running.s3) row("s3", t("profiles.s3_off"));
  return h("dl", {}, ...rows);
}

function startBox(steps, t) {
  if (steps.length === 0) return null;
  return h("section", {},
    h("h4", {}, t("profiles.start")),
    h("ul", { class: "autonoe-steps" }, ...steps.map((step) => {
      const failed = step.state === "failed";
      return h("li", { class: failed ? "autonoe-warn" : "autonoe-ok" }, icon(failed ? "warn" : "ok"),
        h("div", {},
          h("p", {}, `${t(failed ? "profiles.failed" : "profiles.done")}: ${step.message}`),
          failed && step.next ? h("p", { class: "autonoe-next" }, ...withCode(t("next", { hint: step.next }))) : null,
          step.detail ? h("details", {}, h("summary", {}, t("details")), h("pre", { tabindex: "0" }, step.detail)) : null));
    })));
}

function amounts(resources, code, t) {
  return UNITS.filter((name) => resources[name].ceiling > 0).map((name) => {
    const { default: low, ceiling: high } = resources[name];
    const span = high > low ? `${number(low, code)}\u2013${number(high, code)}` : number(low, code);
    return `${span} ${t(`profiles.unit.${name}`)}`;
  }).join(" \u00b7 ");
}

function link(spawn, name, running) {
  const url = new URL(spawn, document.location.origin);
  url.searchParams.set("profile", name);
  if (running.repository) url.searchParams.set("repo", running.repository);
  if (running.repository && running.branch) url.searchParams.set("branch", running.branch);
  return url.href;
}

function profileRow(profile, offered, running, code, t) {
  const text = (words) => words[code] || words.en;
  const free = offered.free?.[code]?.[profile.name];
  const here = profile.name === running.profile;
  const url = link(offered.spawn_url, profile.name, running);
  const title = text(profile.title);
  const copy = h("button", {
    type: "button", class: "autonoe-link", "aria-label": t("profiles.copy_label", { name: title }),
    onclick: async () => {
      await navigator.clipboard.writeText(url);
      copy.textContent = t("copied");
      setTimeout(() => { copy.textContent = t("profiles.copy"); }, 2000);
    },
  }, t("profiles.copy"));
  return h("div", { class: "autonoe-profile", role: "listitem" },
    profile.picture.startsWith("data:image/svg+xml;base64,") ? h("img", { src: profile.picture, alt: "" }) : h("span", {}),
    h("div", {},
      h("p", { class: "autonoe-name" }, title, here ? h("span", { class: "autonoe-quiet" }, ` (${t("profiles.here")})`) : null),
      h("p", {}, text(profile.description)),
      offered.limited ? h("p", { class: "autonoe-small" }, amounts(profile.resources, code, t)) : null,
      free?.text ? h("p", { class: "autonoe-small" }, free.text) : null,
      free?.warning ? h("p", { class: "autonoe-small autonoe-warn" }, icon("warn"), free.warning) : null),
    h("div", { class: "autonoe-actions" },
      h("a", { href: url, target: "_blank", rel: "noopener", "aria-label": t("profiles.open_label", { name: title }) }, t("profiles.open")), copy));
}

let serial = 0;

function render({ model, el }) {
  const { code, t } = chooseLanguage(model);
  const aborter = new AbortController();
  const title = `autonoe-profiles-${(serial += 1)}`;
  const now = h("div", {});
  const start = h("div", {});
  const list = h("div", { role: "list", "aria-label": t("profiles.others") });
  const state = h("p", { class: "autonoe-quiet", role: "status", "aria-live": "polite" });
  const refresh = h("button", { type: "button", class: "autonoe-link", onclick: () => news() }, t("refresh"));

  function show(view) {
    const running = view?.running ?? model.get("running");
    now.replaceChildren(facts(running, view?.usage, code, t));
    const steps = startBox(running.start.steps, t);
    start.replaceChildren(...(steps ? [steps] : []));
    const offered = view?.offered;
    list.replaceChildren(...(offered?.profiles ?? []).map((profile) => profileRow(profile, offered, running, code, t)));
    list.hidden = !offered?.profiles?.length;
  }
  async function news() {
    refresh.disabled = true;
    state.textContent = t("profiles.asking");
    const view = await fetchView(aborter.signal);
    if (aborter.signal.aborted) return;
    refresh.disabled = false;
    state.textContent = view?.offered?.profiles ? "" : t("profiles.unknown");
    show(view);
  }
  el.replaceChildren(h("section", { class: "autonoe-card autonoe-profiles", lang: code, "aria-labelledby": title },
    h("header", {}, h("h3", { id: title }, t("profiles.title")), refresh),
    h("p", { class: "autonoe-purpose" }, t("profiles.purpose")),
    now, start, h("h4", {}, t("profiles.others")), state, list));
  show(null);
  news();
  return () => aborter.abort();
}

export default { render };
