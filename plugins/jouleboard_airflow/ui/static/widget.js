// The widget on Airflow's home page: current publication, the gate's last decision, sweeps in progress.

import { BOX, LINK, SOFT, h, page, runPage, shortTime, useAnswer } from "./parts.js";

const STATUS = new URL("status", import.meta.url).href;
const SWEEPS_SHOWN = 5;

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
    h("a", { href: runPage(sweep.dag_id, sweep.run_id), style: LINK }, sweep.title),
    h("span", { style: SOFT }, ` ${sweep.state}`));

const formLink = (dagId, title) =>
  h("a", { key: dagId, href: page(`dags/${dagId}`), style: { ...LINK, marginRight: 14 } }, title);

function Jouleboard() {
  const status = useAnswer(STATUS);
  const heading = h("a", { href: page("plugin/leaderboard"), style: { ...LINK, fontWeight: "bold" } }, "Leaderboard");
  let body = line("Jouleboard", status.loading ? "loading…" : `status ${status.problem}`);
  if (status.sweeps) {
    const more = status.sweeps.length - SWEEPS_SHOWN;
    body = [
      line("Publication", publicationText(status.publication)),
      line("Gate", gateText(status.gate)),
      line("Sweeps in progress", status.sweeps.length ? `${status.sweeps.length}` : "none"),
      h("ul", { key: "sweeps" }, status.sweeps.slice(0, SWEEPS_SHOWN).map(sweepLine)),
      more > 0 && h("p", { key: "more", style: SOFT }, `and ${more} more`),
      h("p", { key: "forms", style: { marginTop: 6 } },
        formLink("benchmark_on_demand", "Measure one model"),
        formLink("benchmark_release", "Measure a release"),
        formLink("refresh_leaderboard", "Publish")),
    ];
  }
  return h("section", { "data-testid": "jouleboard-widget", style: BOX }, heading, body);
}

globalThis.AirflowPlugin = Jouleboard;
export default Jouleboard;
