"use strict";
// Everything that came from a model, a table or a person is written with textContent, so it stays text.
(function () {
  const box = document.querySelector("[data-focus]");
  const links = Array.from(document.querySelectorAll("[data-list] a"));

  function move(step) {
    const place = links.indexOf(document.activeElement) + step;
    if (place < 0) { if (box) box.focus(); return; }
    if (links[place]) links[place].focus();
  }

  function turn(direction) {
    const link = document.querySelector(`a[rel="${direction}"]`);
    if (link) link.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const writing = document.activeElement && document.activeElement.matches("input:not([type=radio]):not([type=checkbox])");
    if (event.key === "/" && !writing && box) { event.preventDefault(); box.focus(); box.select(); return; }
    if (document.activeElement && document.activeElement.matches("input[type=radio]")) return;
    if (links.length && event.key === "ArrowDown") { event.preventDefault(); move(1); }
    if (links.length && event.key === "ArrowUp") { event.preventDefault(); move(-1); }
    if (!writing && event.key === "ArrowLeft") turn("prev");
    if (!writing && event.key === "ArrowRight") turn("next");
  });

  document.querySelectorAll("input[type=radio][name=show]").forEach((choice) => {
    choice.addEventListener("click", (event) => { if (event.detail) choice.form.requestSubmit(); });
  });

  const form = document.getElementById("ask");
  if (!form) return;
  const button = form.querySelector("button");
  const problem = document.getElementById("problem");
  const history = document.getElementById("history");
  const template = document.getElementById("exchange");
  const chat = document.getElementById("chat");
  const asked = [];
  let place = 0;

  function make(name, text, className) {
    const element = document.createElement(name);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function complain(line) { problem.textContent = line; problem.hidden = !line; }

  function showFacts(exchange, event) {
    exchange.querySelector(".match").textContent = event.line;
    for (const fact of event.facts) {
      const details = document.createElement("details");
      const right = fact.wordings.filter((wording) => wording.right).length;
      const count = fact.wordings.length ? ` (${right} of ${fact.wordings.length} wordings answer it)` : "";
      details.append(make("summary", `${fact.subject} – ${fact.relation} – ${fact.object}, ${fact.fact_set}${count}`));
      const list = document.createElement("ul");
      for (const wording of fact.wordings) {
        const item = document.createElement("li");
        item.append(make("b", wording.right ? "✓ " : "✗ ", wording.right ? "right" : "wrong"), make("bdi", wording.prompt), make("small", wording.label));
        list.append(item);
      }
      const link = make("a", "every wording, before and after");
      link.href = fact.address;
      link.target = "_blank"; // what was asked stays on this page
      const last = document.createElement("li");
      last.append(link);
      list.append(last);
      details.append(list);
      exchange.querySelector(".taught").append(details);
    }
  }

  function showEnd(said, right) {
    delete said.dataset.waiting;
    if (!said.textContent) said.textContent = "(nothing: the text ends here)";
    if (right !== null) said.prepend(make("b", right ? "✓ " : "✗ ", right ? "right" : "wrong"));
  }

  function showLikeliest(exchange, event) {
    const sides = Array.from(exchange.querySelectorAll(".side"), (side) => side.dataset.side);
    for (const row of event.rows) {
      const line = document.createElement("tr");
      const cell = document.createElement("td");
      cell.append(make("bdi", row.text || "(nothing: the text ends here)"));
      line.append(cell);
      for (const side of sides) line.append(make("td", (100 * row.chances[side]).toFixed(1) + "%", "number"));
      exchange.querySelector("tbody").append(line);
    }
    exchange.querySelector(".likeliest").hidden = false;
  }

  function show(exchange, event) {
    const said = event.side && exchange.querySelector(`[data-side="${event.side}"] .said`);
    if (event.kind === "facts") showFacts(exchange, event);
    if (event.kind === "text") said.textContent = event.text;
    if (event.kind === "end") showEnd(said, event.right);
    if (event.kind === "likeliest") showLikeliest(exchange, event);
    if (event.kind === "late") complain(event.line);
  }

  async function read(response, exchange) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.forEach((line) => show(exchange, JSON.parse(line)));
    }
  }

  async function ask(question) {
    const body = JSON.stringify({ question: question, chat: Boolean(chat && chat.checked) });
    const response = await fetch("/ask", { method: "POST", body: body, headers: { "Content-Type": "application/json" } });
    if (!response.ok) { complain((await response.text()).trim()); return; }
    const exchange = template.content.firstElementChild.cloneNode(true);
    exchange.querySelector(".asked").textContent = question;
    history.prepend(exchange);
    try {
      await read(response, exchange);
    } finally {
      exchange.querySelectorAll("[data-waiting]").forEach((said) => delete said.dataset.waiting);
    }
    exchange.dataset.done = "";
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const question = box.value.trim();
    if (!question || button.disabled) return;
    complain("");
    if (asked[asked.length - 1] !== question) asked.push(question);
    place = asked.length;
    button.disabled = true;
    try {
      await ask(question);
      box.select();
    } catch (error) {
      complain("the server does not answer; is rote serve still running?");
    } finally {
      button.disabled = false;
    }
  });

  box.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !asked.length || event.isComposing) return;
    event.preventDefault();
    place = Math.max(0, Math.min(asked.length, place + step));
    box.value = asked[place] || "";
  });
})();
