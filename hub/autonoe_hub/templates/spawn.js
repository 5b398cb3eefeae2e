// The form works without any of this: sliders, the line beside Start and the live counts are extras.
(() => {
  const form = document.getElementById("spawn_form");
  const start = document.getElementById("start");
  const what = document.getElementById("what");

  for (const pair of form.querySelectorAll(".amount")) {
    const [slider, number] = pair.querySelectorAll("input");
    slider.addEventListener("input", () => { number.value = slider.value; });
    number.addEventListener("input", () => { slider.value = number.value; });
  }

  // Fields of the other profiles are hidden: their values must not keep the browser from sending.
  function choose() {
    for (const card of form.querySelectorAll(".profile")) {
      const chosen = card.querySelector(":scope > input").checked;
      for (const field of card.querySelectorAll(".choices :is(input, select, textarea)")) {
        field.disabled = !chosen;
      }
      if (chosen) what.textContent = card.querySelector(".title").textContent;
    }
  }
  form.addEventListener("change", choose);
  choose();
  const chosen = form.querySelector(".profile > input:checked + label");
  if (chosen && chosen.getBoundingClientRect().bottom > window.innerHeight) chosen.scrollIntoView({ block: "center" });

  form.addEventListener("submit", () => {
    start.disabled = true;
    const spinner = document.createElement("span");
    spinner.className = "spinner";
    start.replaceChildren(spinner, start.dataset.starting);
  });
  // The browser's Back shows the page as it was left.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  async function count() {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetch(`${window.jhdata.base_url}profiles/free`, { headers: { Accept: "application/json" } });
      if (!answer.ok) { clearInterval(timer); return; }
      for (const [name, free] of Object.entries(await answer.json())) {
        const line = form.querySelector(`[data-free="${CSS.escape(name)}"]`);
        if (!line || !("text" in free)) continue;
        const warning = document.createElement("span");
        warning.className = "waits";
        warning.textContent = free.warning;
        line.replaceChildren(free.text, ...(free.warning ? [" ", warning] : []));
      }
    } catch { /* the next one may come through */ }
  }
  const timer = setInterval(count, 10_000);
})();
