// The frame around a publication's page. The page runs sandboxed, without the reader's session, so its
// links lead nowhere: the page (links.js) tells which link was clicked, and this script, which has the
// session, opens it if it belongs to the publication.

const PAGE = /^site\/(?:[a-z][a-z0-9_-]*|models\/[a-z0-9-][a-z0-9.-]*)\.html(?:#[\w%&=.,+:-]*)?$/;
const FILE = /^(?:leaderboard\.duckdb|manifest\.json|parquet\/[a-z][a-z0-9_]*\.parquet|api\/v1\/[a-z]+\.json|site\/figures\/(?:models\/)?[a-z0-9-][a-z0-9._-]*\.(?:svg|png|csv)|site\/(?:feed\.xml|llms\.txt))$/;

const RUN = /^runs\/([\w.-]+\/[\w%.~+:-]+)$/;

const frame = document.getElementById("page");

function open(wanted) {
  if (PAGE.test(wanted)) show(wanted);
  else if (RUN.test(wanted)) leave(RUN.exec(wanted)[1]);
  else if (FILE.test(wanted)) Object.assign(document.createElement("a"), { href: `files/${wanted}`, download: "" }).click();
}

// A run is a page of Airflow itself. This frame may not lead its window elsewhere; a link in the page around it may.
function leave(run) {
  const link = window.parent.document.createElement("a");
  link.href = new URL(`../dags/${run.replace("/", "/runs/")}`, location.href.split("?")[0]);
  link.click();
}

function show(address) {
  frame.src = address;
  mark(address);
}

// Which entry of the navigation leads to the page that is shown.
function mark(address) {
  const name = address.replace(/#.*/, "");
  for (const link of document.querySelectorAll("nav a")) {
    if (name === `site/${link.getAttribute("href")}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

mark(frame.getAttribute("src"));

addEventListener("message", (event) => {
  if (event.source === frame.contentWindow && typeof event.data === "string") open(event.data);
});

document.querySelector("nav").addEventListener("click", (event) => {
  event.preventDefault();
  const link = event.target.closest("a");
  if (link) open(`site/${link.getAttribute("href")}`);
});

// A filter in the address (`...#task=...`) goes on to the page.
if (location.hash && !frame.getAttribute("src").includes("#")) frame.src += location.hash;
