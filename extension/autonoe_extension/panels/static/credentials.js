// The credentials card. Everything that comes from the platform is set as text, never as markup.
//
// Time: the countdown runs here from absolute times, so it stays right while the kernel is busy.
// News come from the server's own /autonoe/status, which does not count as activity: an open panel
// must not keep an idle kernel or server alive. The kernel is asked where that route is out of reach
// or speaks of another account than the kernel's; then only on demand and when a renewal is due.

const POLL_MS = 30_000;
const TOOLS = ["Python", "AWS CLI", "bao", "vault"];    // in this order, others after them
function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 10) return `${minutes} min ${s % 60} s`;
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// For what is past: no seconds once minutes are over.
function roughly(seconds) {
  return duration(seconds < 60 ? seconds : 60 * Math.round(seconds / 60)).replace(/ 0 (s|min)$/, "");
}

function clock(epoch, code) {
  return new Date(epoch * 1000).toLocaleTimeString(code, { hour: "2-digit", minute: "2-digit" });
}

function fullTime(epoch, code) {
  return new Date(epoch * 1000).toLocaleString(code, { dateStyle: "full", timeStyle: "long" });
}

function copyButton(text, what, t) {
  const button = h("button", {
    type: "button", class: "autonoe-link", "aria-label": t("copy_label", { what }),
    onclick: async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = t("copied");
      setTimeout(() => { button.textContent = t("copy"); }, 2000);
    },
  }, t("copy"));
  return button;
}

// The address of /autonoe/status as the page's own front end (Lab, Notebook, Voila) states it.
function statusUrl() {
  const data = document.getElementById("jupyter-config-data");
  try {
    const base = JSON.parse(data.textContent).baseUrl;
    return new URL(`${base.replace(/\/?$/, "/")}autonoe/status`, document.location.origin).href;
  } catch {
    return null;
  }
}

async function fetchView(signal) {
  const url = statusUrl();
  if (url === null) return null;
  const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  try {
    const answer = await fetch(url, { signal, headers: xsrf ? { "X-XSRFToken": xsrf } : {} });
    return answer.ok ? (await answer.json()).credentials : null;
  } catch {
    return null;
  }
}

function problemBox(problem, t) {
  if (!problem) return [];
  const known = t(`problem.${problem.code}`) !== `problem.${problem.code}`;
  const message = known ? t(`problem.${problem.code}`) : problem.message;
  const hint = known ? t(`problem.${problem.code}.hint`) : problem.hint;
  return [
    h("p", { class: "autonoe-problem" }, message),
    hint ? h("p", { class: "autonoe-next" }, ...withCode(t("next", { hint }))) : null,
    problem.technical
      ? h("details", {}, h("summary", {}, t("details")), h("pre", {}, problem.technical))
      : null,
  ].filter(Boolean);
}

function accessTable(view, t) {
  const row = (item, label, uri) =>
    h("tr", {},
      h("th", { scope: "row" }, h("code", {}, label), " ", copyButton(uri, uri, t)),
      h("td", {}, t(`access.${item.access}`)),
      h("td", {}, t(`kind.${item.kind}`, { group: item.group })));
  const table = (title, first, rows) =>
    rows.length === 0 ? null : h("table", {},
      h("caption", {}, title),
      h("thead", {}, h("tr", {},
        h("th", { scope: "col" }, first),
        h("th", { scope: "col" }, t("buckets.access")),
        h("th", { scope: "col" }, t("buckets.for")))),
      h("tbody", {}, ...rows));
  return [
    table(t("buckets.title"), t("buckets.name"),
      view.buckets.map((item) => row(item, item.name, `s3://${item.name}/`))),
    table(t("secrets.title"), t("secrets.path"),
      view.secrets.map((item) => row(item, item.path, item.path))),
  ].filter(Boolean);
}

let serial = 0;

function equivalentsBox(actions, t) {
  if (actions.length === 0) return null;
  const id = `autonoe-tools-${(serial += 1)}`;
  const offered = new Set(actions.flatMap((action) => action.forms.map((form) => form.tool)));
  const tools = [...new Set([...TOOLS.filter((tool) => offered.has(tool)), ...offered])];
  const panel = h("div", { role: "tabpanel", id, tabindex: "0" });
  const tabs = tools.map((tool, index) => h("button", {
    type: "button", role: "tab", "aria-controls": id,
    onclick: () => select(index),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { select((index + step + tools.length) % tools.length, true); event.preventDefault(); }
    },
  }, tool));
  function select(index, focus = false) {
    tabs.forEach((tab, n) => {
      tab.setAttribute("aria-selected", String(n === index));
      tab.tabIndex = n === index ? 0 : -1;
    });
    if (focus) tabs[index].focus();
    panel.setAttribute("aria-label", tools[index]);
    panel.replaceChildren(...actions.flatMap((action) => {
      const form = action.forms.find((candidate) => candidate.tool === tools[index]);
      const title = t(`action.${action.key}`, { what: action.what });
      return !form ? [] : [h("section", {},
        h("h4", {}, title),
        h("div", { class: "autonoe-code" },
          h("pre", { tabindex: "0" }, form.code), copyButton(form.code, title, t)))];
    }));
  }
  select(0);
  return h("details", { class: "autonoe-equivalents" },
    h("summary", {}, t("equivalents.title")),
    h("div", { role: "tablist", "aria-label": t("equivalents.tools") }, ...tabs), panel);
}

function testBox(model, t, code) {
  const status = h("div", { class: "autonoe-result", role: "status", "aria-live": "polite" });
  const since = h("span", { class: "autonoe-quiet" });
  const choice = h("select", { "aria-label": t("test.bucket") });
  const button = h("button", { type: "button", class: "autonoe-primary", onclick: start }, t("test.button"));
  const cancel = h("button", { type: "button", class: "autonoe-link", hidden: true, onclick: stop }, t("test.cancel"));
  let asked = null;

  function start() {
    asked = { id: crypto.randomUUID?.() ?? String(Math.random()), at: Date.now() };
    model.send({ type: "test", id: asked.id, bucket: choice.value });
    show();
  }
  function stop() {
    model.send({ type: "cancel", id: asked?.id ?? model.get("test").id });
    asked = null;
    show();
  }
  function options(view) {
    const names = view.buckets.filter((item) => item.access === "write").map((item) => item.name);
    const before = choice.value;
    choice.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    if (names.includes(before)) choice.value = before;
    choice.hidden = names.length < 2;
    button.disabled = names.length === 0 || running();
  }
  function running() {
    return asked !== null || model.get("test").state === "running";
  }
  function show() {
    const test = model.get("test");
    if (asked && test.id === asked.id) asked = null;
    const state = asked ? "waiting" : test.state;
    const step = test.step ? t(`test.step.${test.step}`) : "";
    button.disabled = running() || choice.options.length === 0;
    cancel.hidden = !running();
    since.textContent = "";
    const say = (name, text, extra = []) => {
      status.className = `autonoe-result autonoe-${name}`;
      button.classList.toggle("autonoe-passed", name === "ok");
      status.replaceChildren(icon(name), h("div", {}, h("p", {}, text), ...extra));
    };
    if (state === "waiting") say("busy", t("test.waiting"));
    else if (state === "running") say("busy", t("test.running", { bucket: test.bucket, step }));
    else if (state === "ok") say("ok", t("test.ok", { bucket: test.bucket, ms: test.elapsed_ms }),
      [h("p", { class: "autonoe-quiet", title: fullTime(test.at, code) }, t("test.old", { time: clock(test.at, code) }))]);
    else if (state === "failed") say("fail", t("test.failed", { bucket: test.bucket, step }), problemBox(test.problem, t));
    else if (state === "cancelled") say("none", t("test.cancelled"));
    else say("none", t("test.idle"));
  }
  function tick() {
    if (asked) since.textContent = t("test.since", { delay: duration((Date.now() - asked.at) / 1000) });
  }
  show();
  return { show, tick, options, element: h("div", { class: "autonoe-test" },
    h("div", { class: "autonoe-actions" }, choice, button, cancel, since), status) };
}

function factsBox(t) {
  const cells = {};
  const row = (name) => [h("dt", {}, t(`fact.${name}`)), (cells[name] = h("dd", {}))];
  const element = h("dl", {}, ...["account", "groups", "time_left", "renewed"].flatMap(row));
  function show(view) {
    const { account, mail, groups } = view;
    cells.account.replaceChildren(account || "\u2013", mail ? h("span", { class: "autonoe-quiet" }, ` ${mail}`) : "");
    cells.groups.textContent = groups.length ? groups.join(", ") : t("fact.no_groups");
  }
  function tick(view, now, code) {
    const { expires_at: end, renewed_at: last, renews_at: next } = view.session;
    const left = end - now;
    cells.time_left.textContent = !end ? "\u2013" : left > 0 ? duration(left) : t("fact.expired");
    cells.time_left.title = end ? fullTime(end, code) : "";
    if (!last) { cells.renewed.textContent = t("fact.never"); return; }
    const ago = now - last < 5 ? t("just_now") : t("ago", { delay: roughly(now - last) });
    const due = !next ? "" : next > now ? t("fact.next", { delay: roughly(next - now) }) : t("fact.next_now");
    cells.renewed.textContent = [ago, due].filter(Boolean).join(" \u00b7 ");
    cells.renewed.title = fullTime(last, code);
  }
  return { element, show, tick };
}

function render({ model, el }) {
  const { code, t } = chooseLanguage(model);
  const aborter = new AbortController();
  const badge = h("span", { class: "autonoe-state", role: "status", "aria-live": "polite" });
  const stale = h("p", { class: "autonoe-quiet", hidden: true });
  const problem = h("div", {});
  const access = h("div", {});
  const refresh = h("button", { type: "button", class: "autonoe-link", onclick: () => news(true) }, t("refresh"));
  const facts = factsBox(t);
  const test = testBox(model, t, code);
  const equivalents = equivalentsBox(model.get("equivalents"), t);
  const title = `autonoe-title-${(serial += 1)}`;
  let view = model.get("view");
  let seen = Date.now();      // when `view` arrived, by this browser's clock
  let askedAt = 0;
  let fromServer = true;      // until the route proves to be out of reach

  const now = () => view.now + (Date.now() - seen) / 1000;   // the platform's clock, not the browser's

  function show(next) {
    view = next;
    seen = Date.now();
    const look = { ready: "ok", starting: "busy", stale: "warn", down: "fail", none: "none" }[view.state];
    if (badge.dataset.state !== view.state) {   // announced only when it changes
      badge.dataset.state = view.state;
      badge.className = `autonoe-state autonoe-${look}`;
      badge.replaceChildren(icon(look), t(`state.${view.state}`));
    }
    problem.replaceChildren(...problemBox(view.problem, t));
    const table = JSON.stringify([view.buckets, view.secrets]);
    if (access.dataset.table !== table) {       // keeps the focus while nothing changed
      access.dataset.table = table;
      access.replaceChildren(...accessTable(view, t));
    }
    facts.show(view);
    test.options(view);
    for (const part of [facts.element, test.element, equivalents]) {
      if (part) part.hidden = !view.account;    // nothing to say or to test without an account
    }
    tick();
  }
  function tick() {
    facts.tick(view, now(), code);
    test.tick();
    const age = (Date.now() - seen) / 1000;
    stale.hidden = age < 3 * POLL_MS / 1000 || (!fromServer && now() < (view.session.renews_at ?? Infinity) + 30);
    if (!stale.hidden) stale.textContent = t("state.old", { time: clock(view.now, code) });
  }
  async function news(byHand) {
    askedAt = Date.now();
    const answer = view.account && (fromServer || byHand) ? await fetchView(aborter.signal) : null;
    if (aborter.signal.aborted) return;
    if (answer?.account === view.account && view.account) { fromServer = true; show(answer); return; }
    fromServer = false;
    model.send({ type: "refresh" });            // answered when the kernel is free
  }
  function beat() {
    tick();
    if (document.visibilityState !== "visible") return;
    const due = view.session.renews_at && now() > view.session.renews_at + 5;
    if (fromServer || due || view.state === "starting") {
      if (Date.now() - askedAt > POLL_MS) news(false);
    }
  }
  const onView = () => show(model.get("view"));
  const onTest = () => test.show();
  model.on("change:view", onView);
  model.on("change:test", onTest);
  document.addEventListener("visibilitychange", beat);
  const timer = setInterval(beat, 1000);

  el.replaceChildren(h("section", { class: "autonoe-card", lang: code, "aria-labelledby": title },
    h("header", {}, h("h3", { id: title }, t("credentials.title")), badge, refresh),
    h("p", { class: "autonoe-purpose" }, t("credentials.purpose")),
    problem, stale, facts.element, access, test.element, equivalents ?? ""));
  show(view);

  return () => {
    clearInterval(timer);
    aborter.abort();
    document.removeEventListener("visibilitychange", beat);
    model.off("change:view", onView);
    model.off("change:test", onTest);
  };
}

export default { render };
