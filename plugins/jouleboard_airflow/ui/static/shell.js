// The frame around a publication's page. The page runs sandboxed, without the reader's session, so its
// links lead nowhere: the page (links.js) tells which link was clicked, and this script, which has the
// session, opens it if it belongs to the publication.

const PAGE = /^[a-z][a-z0-9_-]*\.html$/;
const FILE = /^\.\.\/(leaderboard\.duckdb|manifest\.json|parquet\/[a-z][a-z0-9_]*\.parquet)$/;

const frame = document.getElementById("page");

function open(wanted) {
  const file = FILE.exec(wanted)?.[1];
  if (PAGE.test(wanted)) frame.src = `site/${wanted}`;
  else if (file) Object.assign(document.createElement("a"), { href: `files/${file}`, download: "" }).click();
}

addEventListener("message", (event) => {
  if (event.source === frame.contentWindow && typeof event.data === "string") open(event.data);
});

document.querySelector("nav").addEventListener("click", (event) => {
  event.preventDefault();
  const link = event.target.closest("a");
  if (link) open(link.getAttribute("href"));
});
