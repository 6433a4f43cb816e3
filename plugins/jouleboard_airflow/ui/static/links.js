// Added to a publication's page. The page runs sandboxed, so its links lead nowhere: this script tells the
// frame around it (shell.js) which link was clicked, as an address below the publication.

addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const wanted = link && link.getAttribute("href");
  if (!wanted || wanted.startsWith("#") || /^[a-z]+:/i.test(wanted)) return;
  const root = location.pathname.slice(0, location.pathname.lastIndexOf("/site/") + 1);
  event.preventDefault();
  parent.postMessage(link.pathname.slice(root.length) + link.hash, "*");
});
