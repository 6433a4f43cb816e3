// Added to a publication's page. The page runs sandboxed, so its links lead nowhere: this script tells the
// frame around it (shell.js) which link was clicked.

addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const wanted = link && link.getAttribute("href");
  if (!wanted || wanted.startsWith("#") || /^[a-z]+:/i.test(wanted)) return;
  event.preventDefault();
  parent.postMessage(wanted, "*");
});
