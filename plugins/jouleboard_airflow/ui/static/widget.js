// The widget on Airflow's home page: current publication, the gate's last decision, sweeps in progress.
// No build: Airflow loads it as a module, takes the component from `globalThis.AirflowPlugin`, and
// shares its own React. Text from data becomes text nodes, never markup.

const { createElement: h, useEffect, useState } = globalThis.React;

const STATUS = new URL("status", import.meta.url);
const REFRESH_MILLISECONDS = 30_000;
const SWEEPS_SHOWN = 5;

const BORDER = "1px solid var(--chakra-colors-border-emphasized, #8884)";
const SOFT = { color: "var(--chakra-colors-fg-muted, #888)" };
const LINK = { color: "var(--chakra-colors-fg-info, #2b6cb0)" };

const page = (path) => new URL(path, document.baseURI).href;
const shortTime = (iso) => iso.slice(0, 16).replace("T", " ") + " UTC";

function useStatus() {
  const [status, setStatus] = useState({ loading: true });
  useEffect(() => {
    let gone = false;
    const ask = () =>
      fetch(STATUS, { credentials: "same-origin" })
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${answer.status}`))))
        .then((status) => gone || setStatus(status))
        .catch((error) => gone || setStatus({ problem: `status not available: ${error.message}` }));
    ask();
    const timer = setInterval(ask, REFRESH_MILLISECONDS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, []);
  return status;
}

const publicationText = (publication) => {
  if (!publication) return "none yet: run the DAG refresh_leaderboard";
  if (publication.problem) return publication.problem;
  const { number, rows, published_at, gate_verdict } = publication;
  return `${number}, of ${shortTime(published_at)}: ${rows} rows, gate ${gate_verdict}`;
};

const gateText = (gate) => {
  if (!gate) return "no decision yet";
  const what = [gate.event.replace("_", " "), gate.number, gate.by && `by ${gate.by}`].filter(Boolean).join(" ");
  return `${what}, ${shortTime(gate.at)}` + (gate.text ? `: ${gate.text}` : "");
};

const line = (name, ...content) =>
  h("p", { key: name, style: { margin: "2px 0", overflowWrap: "anywhere" } },
    h("span", { style: SOFT }, `${name}: `), ...content);

const sweepLine = (sweep, index) =>
  h("li", { key: index, style: { margin: "2px 0 2px 20px", listStyle: "disc", overflowWrap: "anywhere" } },
    h("a", { href: page(`dags/${sweep.dag_id}/runs/${encodeURIComponent(sweep.run_id)}`), style: LINK }, sweep.title),
    h("span", { style: SOFT }, ` ${sweep.state}`));

function Jouleboard() {
  const status = useStatus();
  const heading = h("a", { href: page("plugin/leaderboard"), style: { ...LINK, fontWeight: "bold" } }, "Leaderboard");
  let body = line("Jouleboard", status.loading ? "loading…" : status.problem);
  if (status.sweeps) {
    const more = status.sweeps.length - SWEEPS_SHOWN;
    body = [
      line("Publication", publicationText(status.publication)),
      line("Gate", gateText(status.gate)),
      line("Sweeps in progress", status.sweeps.length ? `${status.sweeps.length}` : "none"),
      h("ul", { key: "sweeps" }, status.sweeps.slice(0, SWEEPS_SHOWN).map(sweepLine)),
      more > 0 && h("p", { key: "more", style: SOFT }, `and ${more} more`),
    ];
  }
  return h("section", { "data-testid": "jouleboard-widget", style: { border: BORDER, borderRadius: 6, padding: 14 } },
    heading, body);
}

globalThis.AirflowPlugin = Jouleboard;
export default Jouleboard;
