// Puts what the emulator sends into the regions of the page. Without this the page shows what was true when it was loaded.
"use strict";

(() => {
  const address = document.body.dataset.live;
  if (!address) return;
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const waiting = new Map();
  let source = null;
  let held = false; // a press began in a region: what is pressed must not be replaced before it is let go

  const show = (text, on) => {
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("on", on);
  };

  const replace = (region, html) => {
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const open = new Set([...region.querySelectorAll("details[open]")].map((each) => each.id));
    region.innerHTML = html; // made by the emulator's templates, which escape every value; the page runs no inline script
    for (const each of region.querySelectorAll("details")) each.open = open.has(each.id);
    if (focused && focused.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
  };

  const apply = () => {
    const selection = document.getSelection();
    for (const [id, html] of waiting) {
      const region = document.getElementById(id);
      if (region && (held || (!selection.isCollapsed && selection.containsNode(region, true)))) continue;
      waiting.delete(id);
      if (region) replace(region, html);
    }
  };

  const start = () => {
    source = new EventSource(address);
    source.addEventListener("open", () => show("Live", true));
    source.addEventListener("regions", (event) => {
      for (const [id, html] of Object.entries(JSON.parse(event.data))) waiting.set(id, html);
      apply();
    });
    source.addEventListener("gone", (event) => {
      stop(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      show(source.readyState === EventSource.CLOSED ? "Not live: load the page again" : "Connection lost, trying again", false);
    });
    pause.textContent = "Pause";
  };

  const stop = (text) => {
    source.close();
    source = null;
    show(text, false);
    pause.textContent = "Go on";
  };

  document.addEventListener("pointerdown", () => { held = true; });
  for (const name of ["pointerup", "pointercancel"]) {
    document.addEventListener(name, () => setTimeout(() => { held = false; apply(); }, 0));
  }
  document.addEventListener("selectionchange", () => { if (!held) apply(); });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted && source) start(); });
  pause.hidden = false;
  pause.addEventListener("click", () => (source ? stop("Paused") : start()));
  start();
})();
