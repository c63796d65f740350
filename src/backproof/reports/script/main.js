/* ---- together ---- */

const answer = $("answer").querySelector(".text"),
  answered = answer?.textContent;

function refresh(all = true) {
  limit = STEP;
  if (all) filter();
  find();
  drawTable();
  if (all) {
    const n = fits.reduce((a, b) => a + b, 0),
      words = chosenWords();
    document.body.classList.toggle("filtered", narrowed());
    $("shown").textContent = words ? words + ": " + counted(n) + " of " + counted(size) + " cells" : "";
    $("all").hidden = !narrowed() && !view.turned.size;
    if (answer && data.answer)
      answer.textContent = narrowed()
        ? "Of the " + counted(n) + " cells shown: " + filled(data.answer, kept(fits))
        : answered;
    if ($("search").value !== view.search) $("search").value = view.search;
    filterControls.forEach((control) => control());
    figures.forEach((figure) => figure.ask());
  }
  writeAddress();
}

function follow() {
  const before = view.cell;
  readAddress();
  const cell = view.cell;
  [trail, back] = [[], null];
  refresh();
  if (!cell) {
    if (before && $("cell").open) $("cell").close();
    return;
  }
  for (let i = 0; i < size; i++)
    if (id.at(i).startsWith(cell)) {
      open(i);
      return;
    }
}

buildFilters();
buildTable();
buildFigures();
follow();
addEventListener("hashchange", follow);
let across = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== across) {
    across = innerWidth;
    figures.forEach((figure) => figure.ask());
  }
});
document
  .querySelectorAll(".cells-of")
  .forEach((link) => link.addEventListener("click", () => setTimeout(() => $("cells").scrollIntoView())));
addEventListener("scroll", () => tip(""), { passive: true });
// For the console and for tests: the statistics of a view as plain data.
window.backproof = {
  layOut,
  categoriesOf,
  medianInterval,
  scaleOf,
  expression,
  searched,
  filled,
  kept,
  byName,
  size,
  keyLabel,
  tableOf,
  findingOf,
  figures,
  formatted,
  brief,
};
document.documentElement.dataset.ready = "true";
