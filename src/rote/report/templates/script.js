"use strict";
// The page is complete without this script; it adds the search, its filters and the theme button.
(function () {
  const root = document.documentElement;
  const button = document.getElementById("theme-button");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = current() === "dark" ? "Light theme" : "Dark theme"; };
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  button.hidden = false;
  label();

  const field = document.getElementById("fact-search");
  if (!field) return;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("_", " ").toLowerCase();
  const rows = Array.from(document.querySelectorAll("#facts tbody tr"));
  const filters = Array.from(document.querySelectorAll("[data-filter]"));
  const count = document.getElementById("fact-count");
  const all = count.textContent;
  let texts = null;
  let chosen = "";
  const search = () => {
    texts = texts || rows.map((row) => plain(Array.from(row.cells, (cell) => cell.textContent).join(" ")));
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = !chosen || row.dataset.flags.split(" ").includes(chosen);
      row.hidden = !fits || !words.every((word) => texts[index].includes(word));
      if (!row.hidden) shown += 1;
    });
    count.textContent = words.length || chosen ? shown + " of " + all : all;
  };
  const choose = (name) => {
    chosen = name;
    filters.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.filter === name)));
    search();
  };
  filters.forEach((one) => one.addEventListener("click", () => choose(one.dataset.filter)));
  document.querySelectorAll("[data-show]").forEach((link) => {
    link.addEventListener("click", () => choose(link.dataset.show));
  });
  field.addEventListener("input", search);
  document.getElementById("search-box").hidden = false;
  if (field.value) search();
})();
